"""The table store contract: what every backend does, and the values that go in and out.

Belongs here: the protocol, its argument and result types. Does not belong here: how a backend does it. Arrow in, Arrow
out; values never become part of a path or of SQL text. One contract suite runs against every implementation.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

from audience_pipeline.tables import Problem, Table

if TYPE_CHECKING:
    import pyarrow as pa

    from audience_pipeline.storage.ledger import LandingLog

Operator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">=", "in"]


@dataclass(frozen=True, slots=True)
class Predicate:
    """``column operator value``: several are joined by AND; the value is bound, never interpolated."""

    column: str
    operator: Operator
    value: Any


@dataclass(frozen=True, slots=True)
class Query:
    """A read with pushdown: what is not asked for is not opened.

    ``since`` and ``until`` bound ``created_at`` half-open (UTC). ``months`` does the same in whole months, as integers
    ``yyyymm``, both inclusive. ``user_id`` asks for one user, ``user_ids`` for any of several. ``order_by`` names
    columns, a leading ``-`` for descending.
    """

    columns: Sequence[str] | None = None
    user_id: str | None = None
    user_ids: Sequence[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    months: tuple[int, int] | None = None
    where: Sequence[Predicate] = ()
    order_by: Sequence[str] = ()
    limit: int | None = None


EVERYTHING = Query()


class Verdict(StrEnum):
    """What became of one row of an upsert."""

    INSERTED = "inserted"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    STALE = "stale"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that broke a rule: its index in the frame, its key, and why."""

    row: int
    key: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """Counts of an upsert (they add up to the rows given), the rows refused, and the months rewritten."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0
    refused: tuple[Refusal, ...] = ()
    months: frozenset[int] = frozenset()

    def __add__(self, other: "UpsertResult") -> "UpsertResult":
        """Add the counts of two upserts."""
        return UpsertResult(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.stale + other.stale,
            self.refused + other.refused,
            self.months | other.months,
        )


class Placement(NamedTuple):
    """Where a key lives: its user and month (``yyyymm``, 0 without months).

    ``placed`` is False while the row is only reserved: accepted by landing, or being written just now. A named tuple,
    because it is made by the hundred thousand.
    """

    user_id: str
    month: int
    placed: bool
    archived: bool


class Due(NamedTuple):
    """A distribution on the agenda: whose it is, where it goes, where it is in its life, and when to look at it."""

    key: str
    user_id: str
    platform_id: str
    status: str
    at: datetime


class Pair(NamedTuple):
    """An audience on a platform: the distribution that completed last, live or archived, and how many are open."""

    audience_id: str
    platform_id: str
    completed: str | None
    completed_at: datetime | None
    open: int


@dataclass(frozen=True, slots=True)
class Change:
    """A compare-and-set on one row.

    ``expect`` maps columns, or dotted members of JSON columns, to the value the row must have (None is null or absent).
    ``put`` maps engine-owned columns or members to new values; JSON values are Python objects.
    """

    key: str
    expect: Mapping[str, Any]
    put: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TransitionResult:
    """Keys whose change was made, and for each of the others what was found instead."""

    won: tuple[str, ...] = ()
    lost: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Resealed(NamedTuple):
    """A sealed text and one of the same secrets under another key; ``place`` is the row's key, or landed position."""

    place: str | int
    user_id: str
    old: str
    new: str


class Home(NamedTuple):
    """A user and month that has rows of a table, and how many."""

    user_id: str
    month: int
    rows: int


@dataclass(frozen=True, slots=True)
class MoveResult:
    """Keys whose rows were copied to a table, or removed from it, and keys left as they were, with the reason."""

    moved: tuple[str, ...] = ()
    left: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing ``verify`` found: its kind, the object, what is wrong, what to do, and whether it was repaired.

    ``harmless`` findings (leftover temporary files) are listed and do not fail a verification.
    """

    kind: str
    object: str
    found: str
    expected: str
    remedy: str
    repaired: bool = False
    harmless: bool = False


class TableStore(Protocol):
    """The tables of one backend."""

    @property
    def landing(self) -> "LandingLog":
        """The ledger of landed files and their records."""

    def upsert(self, table: Table, rows: "pa.Table", *, canonical: bool = False) -> UpsertResult:
        """Insert or update ``rows`` by key under the rules of the declaration; newest wins.

        ``rows`` has the table's columns (any order; nullable ones may be absent) and may carry ``landed_position``.
        ``canonical`` says the JSON texts were made canonical by landing, and need not be again.
        Raises RefusedError where the frame as a whole breaks the declaration; rows that break a rule are refused.
        """

    def judge(self, table: Table, rows: "pa.Table", *, canonical: bool = False) -> list[tuple[Verdict, Problem | None]]:
        """Return what an upsert would do with each row, writing nothing."""

    def read(self, table: Table, query: Query = EVERYTHING) -> "pa.Table":
        """Return the rows a query asks for, typed as declared."""

    def get(self, table: Table, keys: Sequence[str], columns: Sequence[str] | None = None) -> "pa.Table":
        """Return the rows of the keys that exist in ``table``, each found through the index in one file."""

    def transition(self, table: Table, changes: Sequence[Change]) -> TransitionResult:
        """Apply compare-and-sets on engine-owned columns, each won or lost on its own."""

    def due(self, now: datetime, *, limit: int, statuses: Sequence[str] | None = None, held: bool = False) -> list[Due]:
        """Return distributions to look at by ``now``, of some ``statuses`` or all, those due longest first.

        Unattended looks at what is held are put off; ``held`` returns that, too.
        """

    def pairs(self, platform_ids: Sequence[str], audience_ids: Sequence[str] | None = None) -> list[Pair]:
        """Return the pairs of platforms with audiences, some or all, that have a completed or open distribution.

        Of completed ones, that with the latest ``executed_at`` is the last, or ``created_at`` where it has none; of
        two at one moment, the one with the greater key.
        """

    def copy(self, target: Table, rows: "pa.Table") -> MoveResult:
        """Write ``rows``, as they are, to a table or its archive while they are in the other; they are read back.

        A key lives where its live row is: a copy in the archive is of no account until the live row is removed, and
        replaces an earlier copy; a row that comes back to the live table lives there from then on. Keys that do not
        live in the other table at the place the row names are left.
        Raises CorruptionError where what is read back is not what was written.
        """

    def remove(self, source: Table, keys: Sequence[str]) -> MoveResult:
        """Remove rows from a live table of which its archive has an equal one, or from an archive of live rows.

        What leaves the live table is archived from then on. Other rows are left.
        """

    def reseal(self, table: Table, rows: Sequence[Resealed]) -> int:
        """Replace sealed texts in a table with secrets, or its landed records, where they still are; count them.

        Raises RefusedError, and changes nothing, where more than the sealing would change.
        """

    def homes(self, table: Table, months: tuple[int, int] | None = None) -> list[Home]:
        """Return the users and months that have rows, in that order, of all months or an inclusive range."""

    def placements(self, table: Table, keys: Sequence[str]) -> dict[str, Placement]:
        """Return where the known ones of ``keys`` live, archived ones included."""

    def reserve(self, table: Table, places: Mapping[str, tuple[str, int]], now: datetime) -> dict[str, Placement]:
        """Reserve keys at (user_id, month) for rows accepted but not yet written; return those placed elsewhere."""

    def inserted_in_month(self, table: Table, user_id: str, month: int) -> int:
        """Return how many keys of the user were first accepted in the UTC month ``yyyymm`` (for quotas)."""

    def user_lock(self, *user_ids: str) -> AbstractContextManager[None]:
        """Hold the quotas of users against other writers, all of them or none; on files, those of this machine."""

    def landing_lock(self, table: Table) -> AbstractContextManager[None]:
        """Let one landing of ``table`` run at a time; of an archive, one archive run or restore."""

    def digests(self, table: Table) -> dict[int, str]:
        """Return a content digest a month (0 without months), equal on every backend that holds the same rows."""

    def keys(self, table: Table) -> "pa.Table":
        """Return what the key index says of the keys of ``table``, as :data:`.restoring.KEY_SCHEMA`, in any order.

        Archived keys are those of the archive; the live table has the accepted ones beside its own.
        """

    def restore(self, table: Table, rows: "pa.Table", keys: "pa.Table") -> None:
        """Take over rows of another store as they are there, engine-owned columns included.

        ``keys`` is what the other store's index says of them, and of keys that are only accepted, or whose rows are
        here; those get its positions and accepted months. Killed in between, the call with the rows that are not here
        yet finishes.
        Raises RefusedError where a key has a row here already, or lives at another place.
        """

    def verify(self, *, repair: bool = False) -> list[Finding]:
        """Prove the invariants on what is stored; with ``repair`` mend what can be mended without losing a row."""

    def close(self) -> None:
        """Release what the store holds."""
