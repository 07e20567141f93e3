"""Draws from a seeded stream: picks, weighted picks, UUIDs.

Belongs here: how a random number becomes a value. Does not belong here: what is drawn (that is the record's business).

Each thing of the world has a stream of its own, named by what it is. So anything can be drawn again without drawing
what came before it, which is what lets a world of any size be generated in constant memory.
"""

from bisect import bisect
from collections.abc import Mapping, Sequence
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


def stream(seed: int, *name: str | int) -> Random:
    """Return the stream of random numbers of one named thing, for example ``stream(7, "tenant", 12)``."""
    return Random("/".join(map(str, (seed, *name))))  # noqa: S311 - demo data, nothing secret


def pick(rng: Random, options: Sequence[T]) -> T:
    """Return one of ``options``, each as likely as the others."""
    return options[int(rng.random() * len(options))]


def whole(rng: Random, low: int, high: int) -> int:
    """Return a whole number from ``low`` to ``high``, both included."""
    return low + int(rng.random() * (high - low + 1))


def uuid4(rng: Random) -> str:
    """Return a version 4 UUID, lower case."""
    digits = f"{rng.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


class Weighted(Generic[T]):
    """Options of which some are likelier than others: a value and its weight each."""

    def __init__(self, weights: Mapping[T, float]) -> None:
        self._values = tuple(weights)
        *self._bounds, self._total = accumulate(weights.values())

    def pick(self, rng: Random) -> T:
        """Return one of the options by weight."""
        return self._values[bisect(self._bounds, rng.random() * self._total)]
