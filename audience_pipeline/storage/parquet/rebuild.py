"""Rebuild the state from the files: what is lost with it is time.

Belongs here: listing and opening every file once. The new state is made beside the old place and renamed, so a rebuild
that is killed starts over.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from audience_pipeline.errors import CorruptionError
from audience_pipeline.storage.agenda import work_of
from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.months import with_month
from audience_pipeline.storage.parquet.agenda import put
from audience_pipeline.storage.parquet.database import damage_mark
from audience_pipeline.storage.parquet.files import PATH, read_by_path
from audience_pipeline.storage.parquet.layout import Layout, Partition
from audience_pipeline.storage.parquet.ledger import rebuild_ledger
from audience_pipeline.storage.parquet.positions import has_positions, note_stored, settle_positions
from audience_pipeline.storage.parquet.state import UNREADABLE, State
from audience_pipeline.tables import STORED, Table

_LOG = logging.getLogger(__name__)
_PORTION = 500
_SUFFIXES = ("", "-wal", "-shm")


def rebuild(layout: Layout, path: Path, *, publish: bool = True) -> State:
    """Make the state at ``path`` from the files below the data directory, and open it.

    ``publish`` says whether landed files whose publication was interrupted are published to the end.
    """
    unfinished = path.with_suffix(".rebuilding")
    remove_database(unfinished)
    with closing(State(unfinished)) as state:
        for table in STORED:
            found = list(partition_files(layout, table))
            if found:
                _LOG.warning("Rebuilding the key index of %s from %d files.", table.name, len(found))
            for start in range(0, len(found), _PORTION):
                _index(state, table, found[start : start + _PORTION])
        rebuild_ledger(layout, state, publish=publish)
        settle_positions(state)
    remove_database(path)
    unfinished.replace(path)
    damage_mark(path).unlink(missing_ok=True)
    return State(path)


def partition_files(layout: Layout, table: Table) -> Iterator[tuple[Path, Partition]]:
    """Return the table's files that lie where the layout puts them."""
    for path in sorted((layout.root / table.name).rglob("*.parquet")):
        if (parsed := layout.parse(path)) is not None:
            yield path, parsed[1]


def set_aside(path: Path) -> Path:
    """Rename a damaged database and what belongs to it, so that it can be looked into; return its new path."""
    aside = path.with_suffix(f".damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    for suffix in _SUFFIXES:
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
    return aside


def remove_database(path: Path) -> None:
    """Remove a SQLite database and what belongs to it."""
    for suffix in _SUFFIXES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _index(state: State, table: Table, found: list[tuple[Path, Partition]]) -> None:
    columns = table.column_names if has_positions(table) else (table.key,)
    rows, damaged = _read(table, [path for path, _ in found], columns)
    keys = dict(rows.select(PATH, table.key).group_by(PATH).all().iter_rows())
    with state.transaction() as db:
        for path, partition in found:
            size = path.stat().st_size
            placed = dict.fromkeys(keys.get(str(path), []), index_of(table) is not table)
            state.reindex(table.name, partition, index_of(table).name, placed, size)
            if path in damaged:
                state.put_partitions(db, table.name, {partition: (UNREADABLE, size)})
        if index_of(table).agenda is not None and not rows.is_empty():
            put(db, table.name, index_of(table).name, work_of(table, with_month(table, rows)))
        if has_positions(table):
            note_stored(db, table, rows)


def _read(table: Table, paths: list[Path], columns: Sequence[str]) -> tuple[pl.DataFrame, set[Path]]:
    """Return the rows of files, and which are damaged: these stay listed, so that reads meet them."""
    try:
        return read_by_path(table, paths, columns), set()
    except CorruptionError as error:
        if len(paths) == 1:
            _LOG.warning("%s", error)
            return pl.DataFrame(schema={PATH: pl.String, **dict.fromkeys(columns, pl.Null)}), set(paths)
    each = [_read(table, [path], columns) for path in paths]
    return pl.concat([rows for rows, _ in each], how="vertical_relaxed"), set().union(*(found for _, found in each))
