"""The landing part of the store contract: the ledger of landed files, and their accepted records.

Belongs here: the protocol, and its entries. Does not belong here: how a backend keeps them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from audience_pipeline.tables import Table

if TYPE_CHECKING:
    import pyarrow as pa

    from audience_pipeline.storage.restoring import LedgerLine


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One landed file: its number orders it among all files; its identity is its content digest."""

    number: int
    table: str
    digest: str
    name: str
    status: Literal["open", "landed", "folded"]
    counts: Mapping[str, int] = field(default_factory=dict)


class LandingLog(Protocol):
    """The ledger of landed files and the accepted records in them."""

    def open_file(self, table: Table, digest: str, name: str) -> LedgerEntry:
        """Return the entry of this content, made if it is new; an entry no longer ``open`` was landed before."""

    def unfinished(self, table: Table) -> list[LedgerEntry]:
        """Return the entries of ``table`` still open, oldest first."""

    def stage(self, entry: LedgerEntry, rows: "pa.Table") -> None:
        """Keep accepted rows of an open entry (landed schema of its table) where no reader sees them yet."""

    def finish(self, entry: LedgerEntry, counts: Mapping[str, int]) -> frozenset[int]:
        """Publish what was staged and mark the entry landed; return the months touched (0 without months)."""

    def months(self, entry: LedgerEntry) -> frozenset[int]:
        """Return the months a landed entry's records belong to (0 without months)."""

    def rows(self, entry: LedgerEntry) -> dict[int, int]:
        """Return how many records of a landed entry belong to each of its months."""

    def abandon(self, entry: LedgerEntry) -> None:
        """Drop what was staged; the entry stays open and the file can be landed again."""

    def unfolded(self, table: Table) -> list[LedgerEntry]:
        """Return the entries of ``table`` that landed and are not known to be folded, oldest first."""

    def mark_folded(
        self, entries: Iterable[LedgerEntry], counts: Mapping[str, int], *, months: tuple[int, int] | None = None
    ) -> None:
        """Note that the entries' records were upserted, with the counts.

        ``months``, both inclusive, says that only those of these months were: an entry is folded once all its months
        are, and the counts of each part are added up.
        """

    def waiting(self, table: Table, user_id: str) -> int:
        """Return how many keys of the user were accepted and are in no file of ``table`` yet."""

    def read(
        self, table: Table, *, months: tuple[int, int] | None = None, numbers: Sequence[int] | None = None
    ) -> "pa.Table":
        """Return landed records of ``table`` (a source), by month range or file numbers, in landing order."""

    def groups(self, table: Table, numbers: Sequence[int] | None = None) -> "Iterator[pa.Table]":
        """Yield the landed records of files, of all by default, in groups of bounded size.

        The rows of one user and month stay together.
        """

    def lines(self, table: Table) -> "list[LedgerLine]":
        """Return all entries of ``table`` with what else the ledger has, oldest first."""

    def restore(self, table: Table, lines: "Sequence[LedgerLine]", rows: "Iterable[pa.Table]") -> None:
        """Take over lines of another store's ledger as they are there.

        ``rows`` are the landed records of those that are unknown here, or open; the others only get the status given.
        Killed in between, the same call finishes.
        Raises RefusedError where a number or a content is another file's here, or a file has come further.
        """
