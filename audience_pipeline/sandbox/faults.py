"""Faults: how the sandbox misbehaves, on request.

Belongs here: which faults there are, and which of them strikes a call. Does not belong here: what a fault does to an
answer. Faults are switched on by a file at the start, or over HTTP while it runs; they are forgotten with the process.
"""

import threading
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Annotated, Literal, TypeAlias

import msgspec

from audience_pipeline.errors import UsageError, storage_errors

Operation: TypeAlias = Literal["validate", "submit", "find", "poll", "withdraw"]
Kind: TypeAlias = Literal[
    "rate_limited",
    "server_error",
    "unauthorized",
    "slow",
    "reset_before_accepting",
    "timeout_after_accepting",
    "errors_in_success",
    "partial_success",
    "denied",
    "unknown_size",
]
_EVERYWHERE: frozenset[Operation] = frozenset({"validate", "submit", "find", "poll", "withdraw"})
_ON: dict[Kind, frozenset[Operation]] = {
    "rate_limited": _EVERYWHERE,
    "server_error": _EVERYWHERE,
    "unauthorized": _EVERYWHERE,
    "slow": _EVERYWHERE,
    "reset_before_accepting": frozenset({"submit"}),
    "timeout_after_accepting": frozenset({"submit"}),
    "errors_in_success": _EVERYWHERE,
    "partial_success": frozenset({"submit"}),
    "denied": frozenset({"submit"}),
    "unknown_size": frozenset({"poll"}),
}
"""The operations that a fault can strike."""

Seconds = Annotated[float, msgspec.Meta(ge=0, le=3600)]


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault that is switched on.

    Attributes:
        kind: what goes wrong.
        probability: how likely it strikes a call that it can strike; drawn from ``seed``, so a run can be repeated.
        next: how many more calls it strikes, None for any number.
        on: the operations it strikes; None for all those it can.
        seconds: how long it takes, where it takes time.
        retry_after: how long a caller is asked to wait, where it is.
    """

    kind: Kind
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    seed: int = 0
    next: Annotated[int, msgspec.Meta(ge=0)] | None = None
    on: frozenset[Operation] | None = None
    seconds: Seconds = 1.0
    retry_after: Seconds = 1.0


class FaultPlan:
    """The faults that are switched on; of several that could strike a call, the first one does."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self.replace(faults)

    def replace(self, faults: Iterable[Fault]) -> None:
        """Switch these on, and all others off."""
        armed = [_Armed(fault) for fault in faults]
        with self._lock:
            self._armed = armed

    def draw(self, operation: Operation) -> Fault | None:
        """Return the fault that strikes this call, if one does."""
        with self._lock:
            return next((armed.fault for armed in self._armed if armed.strikes(operation)), None)

    def listing(self) -> list[Fault]:
        """Return the faults that may still strike, with the calls they have left."""
        with self._lock:
            return [msgspec.structs.replace(each.fault, next=each.left) for each in self._armed if each.left != 0]


class _Armed:
    """A fault with its draws and the calls it has left."""

    def __init__(self, fault: Fault) -> None:
        self.fault, self.left = fault, fault.next
        self._on = _ON[fault.kind] if fault.on is None else fault.on & _ON[fault.kind]
        self._draws = Random(fault.seed)  # noqa: S311 - for repeatable rehearsals, not for secrets

    def strikes(self, operation: Operation) -> bool:
        if operation not in self._on or self.left == 0 or self._draws.random() >= self.fault.probability:
            return False
        if self.left is not None:
            self.left -= 1
        return True


def decode_faults(text: bytes, source: str | Path) -> list[Fault]:
    """Return the faults in a JSON array.

    Raises:
        UsageError: it is none, or one of its faults is none.
    """
    try:
        return msgspec.json.decode(text, type=list[Fault])
    except msgspec.DecodeError as error:
        raise UsageError(
            source,
            found=str(error),
            expected='a JSON array of faults such as {"kind": "rate_limited", "probability": 0.1}',
            remedy="Correct it; docs/operations.md lists the kinds.",
        ) from None


def read_faults(path: Path) -> list[Fault]:
    """Return the faults in a file.

    Raises:
        StorageError: it cannot be read.
        UsageError: it holds no faults.
    """
    with storage_errors(path):
        text = path.read_bytes()
    return decode_faults(text, path)
