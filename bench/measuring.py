"""What a benchmark returns, and how time is taken.

Belongs here: clocks, repeats, verdicts. Does not belong here: anything about tables.
"""

import os
import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Run = Callable[[], object]
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table: what was measured, on both sides, and whether the bar is met."""

    what: str
    ours: str
    other: str
    found: str
    bar: str
    met: bool
    note: str = ""

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        return "met" if self.met else "not met"


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of several repeats."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.seconds)

    @property
    def best(self) -> float:
        """The shortest one."""
        return min(self.seconds)

    def __str__(self) -> str:
        """Render the median and the shortest."""
        return f"{shown(self.median)} (min {shown(self.best)})"


def timed(run: Run) -> float:
    """Return the seconds one run takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def alternately(runs: Sequence[Run], repeats: int, *, warm_up: int = 1, block: int = 1) -> list[Times]:
    """Time several runs in turns, so that a slow minute of the machine falls on all of them.

    The first ``warm_up`` turns are not counted. What earlier work left to be written is synced before each turn. A turn
    of one is ``block`` runs in a row, so that short ones find the processor's caches their own.
    """
    found: list[list[float]] = [[] for _ in runs]
    for turn in range(warm_up + repeats):
        for index, run in enumerate(runs):
            os.sync()
            seconds = [timed(run) for _ in range(block)]
            if turn >= warm_up:
                found[index] += seconds
    return [Times(tuple(each)) for each in found]


def peak_memory() -> int:
    """Return the most bytes of memory this program had (Linux).

    ``getrusage`` would not do: what it tells of a process started by another is at least what that one had.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[1]) * 1024  # type: ignore[index]


def shown(seconds: float) -> str:
    """Render seconds in the unit that reads well."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.1f} ms"


def at_least(what: str, bar: float, ours: Times, other: Times, note: str = "") -> Result:
    """Judge "so many times faster than the other", by medians."""
    ratio = other.median / ours.median
    return Result(what, str(ours), str(other), f"{ratio:.1f}x faster", f"≥ {bar:g}x", ratio >= bar, note)


def at_most(what: str, bar: float, ours: Times, other: Times, note: str = "") -> Result:
    """Judge "at most so many times the other's time", by medians."""
    ratio = ours.median / other.median
    return Result(what, str(ours), str(other), f"{ratio:.2f}x", f"≤ {bar:g}x", ratio <= bar, note)


def at_most_bytes(what: str, bar: int, found: int, note: str = "") -> Result:
    """Judge an amount of memory."""
    return Result(what, "", "", f"{found / GIB:.2f} GiB", f"≤ {bar / GIB:g} GiB", found <= bar, note)


def flat(what: str, large: Times, small: Times, note: str = "") -> Result:
    """Judge "the same within a fifth, in a store ten times as large", by medians."""
    ratio = large.median / small.median
    return Result(what, str(large), str(small), f"{ratio:.2f}x", "0.8x to 1.2x", 0.8 <= ratio <= 1.2, note)
