"""What the verbs of the Parquet store share: layout, state, locks, clock; and recovery from a killed writer.

Belongs here: taking partitions, reading and replacing them as one step. Does not belong here: rules about rows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from audience_pipeline.errors import CorruptionError, storage_errors
from audience_pipeline.storage.agenda import work_of
from audience_pipeline.storage.archives import index_of, twin_of
from audience_pipeline.storage.months import MONTH, with_month
from audience_pipeline.storage.parquet.files import Staging, read_files
from audience_pipeline.storage.parquet.layout import Layout, Partition
from audience_pipeline.storage.parquet.locks import Locks
from audience_pipeline.storage.parquet.state import State
from audience_pipeline.tables import Table


@dataclass(frozen=True, slots=True)
class Core:
    """The parts of one open store."""

    layout: Layout
    state: State
    locks: Locks
    clock: Callable[[], datetime]

    @contextmanager
    def hold(self, table: Table, partitions: Iterable[Partition], *, damaged: bool = False) -> Iterator[None]:
        """Hold partitions against other writers, with the index in agreement with their files.

        Raises CorruptionError over a file that a dead writer left and that cannot be read, unless ``damaged`` says that
        such partitions are held as they are.
        """
        partitions = set(partitions)
        with self.locks.hold(_lock_name(table, partition) for partition in partitions):
            self._recover(table, partitions, damaged=damaged)
            yield

    def _recover(self, table: Table, held: set[Partition], *, damaged: bool) -> None:
        """Re-index held partitions whose writer died: they are pending though nobody else can hold them."""
        for _, partition in self.state.pending(table.name):
            if partition in held:
                with suppress(CorruptionError) if damaged else nullcontext():
                    self.reindex(table, partition)

    def recover_free(self, table: Table, partitions: Iterable[Partition]) -> bool:
        """Recover pending partitions that no living writer holds (the others are left to theirs); say if any was."""
        recovered = False
        pending = {partition for _, partition in self.state.pending(table.name)}
        for partition in pending.intersection(partitions):
            with self.locks.try_hold(_lock_name(table, partition)) as held:
                if held:
                    self.reindex(table, partition)
                    recovered = True
        return recovered

    def reindex(self, table: Table, partition: Partition) -> None:
        """Make the index agree with a held partition's file, whatever a killed writer left."""
        path = self.layout.path(table, partition)
        if not path.exists():
            self.state.forget(table.name, partition, index_of(table).name)
            return
        rows = read_files(table, [path])
        keys = dict.fromkeys(rows[table.key], index_of(table) is not table)
        if index_of(table) is table and (archive := twin_of(table)) is not None:
            copies = self.rows(archive, self.existing(archive, [partition]))
            keys = {**dict.fromkeys(copies[table.key], True), **keys}
        work = work_of(table, with_month(table, rows))
        self.state.reindex(table.name, partition, index_of(table).name, keys, path.stat().st_size, work)

    def listed(self, table: Table) -> set[Partition]:
        """Return the partitions that have a file on record, or whose writer is at work or died."""
        return {*self.state.partitions(table.name), *(partition for _, partition in self.state.pending(table.name))}

    def existing(self, table: Table, partitions: Iterable[Partition]) -> list[Partition]:
        """Return those of ``partitions`` that have a file."""
        with storage_errors(self.layout.root / table.name):
            return [partition for partition in partitions if self.layout.path(table, partition).exists()]

    def rows(self, table: Table, partitions: Sequence[Partition]) -> pl.DataFrame:
        """Return the rows of partitions that have a file."""
        return read_files(table, [self.layout.path(table, partition) for partition in partitions])

    def replace(
        self,
        table: Table,
        kept: pl.DataFrame,
        fresh: pl.DataFrame,
        *,
        positions: Mapping[str, int] | None = None,
        placed: Sequence[str] = (),
        leaving: pl.DataFrame | None = None,
    ) -> dict[Partition, tuple[int, int]]:
        """Replace held, pending partitions by rows that stay as they are and fresh ones, and note it in the index.

        All have their month. ``leaving`` are rows that go, or that may end what was to be done about them; a partition
        that has no others is emptied. What leaves a live table was copied to its archive.
        """
        frame = pl.concat([kept, fresh.select(kept.columns)])
        homes = frame.select("user_id", MONTH).unique()
        empty = _homes(leaving.join(homes, on=["user_id", MONTH], how="anti")) if leaving is not None else []
        with Staging.opened(self.layout) as staging:
            sizes = staging.write(table, frame, empty)
            staging.publish()
        work = work_of(table, fresh, leaving)
        index = index_of(table)
        places = dict.fromkeys(placed, index is not table)
        if leaving is not None and index is table:
            places |= dict.fromkeys(leaving.join(frame, on=table.key, how="anti")[table.key], True)
        self.state.commit(table.name, sizes, index.name, positions or {}, placed=places, work=work)
        return sizes


def _homes(rows: pl.DataFrame) -> list[Partition]:
    return sorted(Partition(*home) for home in rows.select("user_id", MONTH).unique().iter_rows())


def _lock_name(table: Table, partition: Partition) -> str:
    return f"{table.name}\0{partition.user_id}\0{partition.month}"
