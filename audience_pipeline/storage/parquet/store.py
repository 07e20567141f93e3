"""The Parquet store: the contract's verbs, each in a module of its own.

Belongs here: opening, closing, and handing each verb its parts. Does not belong here: how a verb works.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

import polars as pl

from audience_pipeline.errors import CorruptionError
from audience_pipeline.storage.archives import index_of, twin
from audience_pipeline.storage.contract import (
    EVERYTHING,
    Change,
    Due,
    Finding,
    Home,
    MoveResult,
    Pair,
    Placement,
    Query,
    Resealed,
    TransitionResult,
    UpsertResult,
    Verdict,
)
from audience_pipeline.storage.frames import prepare
from audience_pipeline.storage.parquet import (
    agenda,
    copying,
    leftovers,
    reading,
    resealing,
    restore,
    transition,
    upsert,
    verify,
)
from audience_pipeline.storage.parquet.core import Core
from audience_pipeline.storage.parquet.duck import Duck
from audience_pipeline.storage.parquet.landing import ParquetLanding
from audience_pipeline.storage.parquet.layout import Layout
from audience_pipeline.storage.parquet.opening import open_to_read, open_to_write
from audience_pipeline.storage.resealing import check_resealed
from audience_pipeline.tables import DISTRIBUTIONS, STORED, Problem, Table
from audience_pipeline.tables import Layout as TableLayout
from audience_pipeline.tables.canonical import content_digest
from audience_pipeline.tables.landed import LINES_PER_FILE

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def _now() -> datetime:
    return datetime.now(UTC)


class ParquetStore:
    """The tables under one data directory; safe to share between threads, and with other processes.

    ``clock`` gives the present as an aware datetime. Opening makes the directory (mode 0700) and rebuilds a state that
    is missing or damaged, which opens every file once. With ``reading`` the directory must be there, and where this
    process may not write to it, nothing in it is changed or made.
    """

    def __init__(self, root: Path, *, clock: Callable[[], datetime] = _now, reading: bool = False) -> None:
        self._layout = Layout(root.absolute())
        with ExitStack() as stack:
            state, locks = (open_to_read if reading else open_to_write)(self._layout, stack)
            self._core = Core(self._layout, state, locks, clock)
            self._recover()
            self._duck = Duck()
            stack.callback(self._duck.close)
            self._held = stack.pop_all()
        self.landing = ParquetLanding(self._core)

    def __enter__(self) -> Self:
        """Return the open store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the store."""
        self.close()

    @property
    def root(self) -> Path:
        """The absolute data directory."""
        return self._layout.root

    def _recover(self) -> None:
        """Re-index what dead writers left, so that reads list the files they finished; damage is for verify to tell."""
        for table in STORED:
            pending = [partition for _, partition in self._core.state.pending(table.name)]
            with suppress(CorruptionError):
                self._core.recover_free(table, pending)

    def upsert(self, table: Table, rows: "pa.Table", *, canonical: bool = False) -> UpsertResult:
        """Insert or update by key; see the contract."""
        return upsert.upsert(self._core, table, prepare(table, rows, self._position(), canonical=canonical))

    def judge(self, table: Table, rows: "pa.Table", *, canonical: bool = False) -> list[tuple[Verdict, Problem | None]]:
        """Say what an upsert would do; see the contract."""
        return upsert.judge(self._core, table, prepare(table, rows, self._position(), canonical=canonical))

    def _position(self) -> int:
        """Return the position of rows that did not land: after every file and every such write so far."""
        return (self._core.state.last_number() + 1) * LINES_PER_FILE

    def read(self, table: Table, query: Query = EVERYTHING) -> "pa.Table":
        """Return the rows a query asks for; see the contract."""
        return reading.read(self._core, self._duck, table, query)

    def get(self, table: Table, keys: Sequence[str], columns: Sequence[str] | None = None) -> "pa.Table":
        """Return the rows of keys; see the contract."""
        return reading.get(self._core, self._duck, table, keys, columns)

    def transition(self, table: Table, changes: Sequence[Change]) -> TransitionResult:
        """Apply compare-and-sets; see the contract."""
        return transition.transition(self._core, table, changes)

    def due(self, now: datetime, *, limit: int, statuses: Sequence[str] | None = None, held: bool = False) -> list[Due]:
        """Return what is due; see the contract."""
        return agenda.due(self._core.state, DISTRIBUTIONS, now, statuses, limit, held=held)

    def pairs(self, platform_ids: Sequence[str], audience_ids: Sequence[str] | None = None) -> list[Pair]:
        """Return pairs; see the contract."""
        return agenda.pairs(self._core.state, DISTRIBUTIONS, platform_ids, audience_ids)

    def copy(self, target: Table, rows: "pa.Table") -> MoveResult:
        """Copy rows between a table and its archive; see the contract."""
        twin(target)
        return copying.copy(self._core, target, prepare(target, rows, 0, canonical=True))

    def remove(self, source: Table, keys: Sequence[str]) -> MoveResult:
        """Remove rows that the archive, or the live table, has; see the contract."""
        twin(source)
        return copying.remove(self._core, source, keys)

    def reseal(self, table: Table, rows: Sequence[Resealed]) -> int:
        """Replace sealed texts; see the contract."""
        check_resealed(table, rows)
        if table.layout is not TableLayout.LANDED:
            return resealing.reseal_rows(self._core, table, rows)
        parts = self.landing.parts(table, sorted({int(row.place) // LINES_PER_FILE for row in rows}))
        return resealing.reseal_parts(self._core, table, parts, rows)

    def homes(self, table: Table, months: tuple[int, int] | None = None) -> list[Home]:
        """Return the users and months that have rows; see the contract."""
        return [Home(*each) for each in self._core.state.homes(table.name, months)]

    def placements(self, table: Table, keys: Sequence[str]) -> dict[str, Placement]:
        """Return where keys live; see the contract."""
        return self._core.state.placements(index_of(table).name, keys)

    def reserve(self, table: Table, places: Mapping[str, tuple[str, int]], now: datetime) -> dict[str, Placement]:
        """Accept keys at places; return those that live elsewhere; see the contract."""
        if self._core.state.accept(table.name, places, now):
            return {}
        found = self._core.state.placements(table.name, list(places))
        return {key: place for key, place in found.items() if (place.user_id, place.month) != tuple(places[key])}

    def inserted_in_month(self, table: Table, user_id: str, month: int) -> int:
        """Return how many keys of a user were accepted in a month; see the contract."""
        return self._core.state.accepted(table.name, user_id, month)

    def user_lock(self, *user_ids: str) -> AbstractContextManager[None]:
        """Hold users' quotas; see the contract."""
        return self._core.locks.hold(f"quota\0{user_id}" for user_id in user_ids)

    def landing_lock(self, table: Table) -> AbstractContextManager[None]:
        """Hold the landing of a table; see the contract."""
        return self._core.locks.hold([f"landing\0{table.name}"])

    def digests(self, table: Table) -> dict[int, str]:
        """Return a content digest a month; see the contract."""
        months = {partition.month for partition in self._core.state.partitions(table.name)}
        read = {month: self.read(table, Query(months=(month, month))) for month in sorted(months)}
        return {month: content_digest(table, rows) for month, rows in read.items() if rows.num_rows}

    def keys(self, table: Table) -> "pa.Table":
        """Return what the key index says; see the contract."""
        return restore.keys(self._core, table)

    def restore(self, table: Table, rows: "pa.Table", keys: "pa.Table") -> None:
        """Take over rows as they are; see the contract."""
        restore.restore(self._core, table, prepare(table, rows, 0), pl.DataFrame(pl.from_arrow(keys)))

    def files(self, table: Table, *, user_id: str | None = None, months: tuple[int, int] | None = None) -> list[str]:
        """Return the absolute paths of a user's files in an inclusive month range, newest month first."""
        if table.layout is TableLayout.LANDED:
            return self.landing.files(table, months=months)
        return reading.files(self._core, table, user_id=user_id, months=months)

    def cursor(self) -> "duckdb.DuckDBPyConnection":
        """Return this thread's DuckDB cursor, for statements over :meth:`files`."""
        return self._duck.cursor()

    def verify(self, *, repair: bool = False) -> list[Finding]:
        """Prove the invariants on what is stored; see the contract."""
        return verify.verify(self._core, repair=repair)

    def vacuum(self) -> list[Path]:
        """Remove zero-row files and leftover temporary files; for a quiet moment, since readers may hold a listing."""
        return leftovers.vacuum(self._core)

    def close(self) -> None:
        """Release what the store holds."""
        self._held.close()
