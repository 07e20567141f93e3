"""Rebuild the state from the files: what is lost with it is time.

Belongs here: listing and opening every file once. The new state is made beside the old place and renamed, so a rebuild
that is killed starts over.
"""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.parquet.files import read_keys
from audience_pipeline.storage.parquet.layout import Layout, Partition
from audience_pipeline.storage.parquet.ledger import rebuild_ledger
from audience_pipeline.storage.parquet.state import State
from audience_pipeline.tables import STORED, Table

_LOG = logging.getLogger(__name__)
_PORTION = 500


def rebuild(layout: Layout, path: Path) -> State:
    """Make the state at ``path`` from the files below the data directory, and open it."""
    unfinished = path.with_suffix(".rebuilding")
    remove_database(unfinished)
    state = State(unfinished)
    for table in STORED:
        found = list(partition_files(layout, table))
        if found:
            _LOG.warning("Rebuilding the key index of %s from %d files.", table.name, len(found))
        for start in range(0, len(found), _PORTION):
            _index(state, table, found[start : start + _PORTION])
    rebuild_ledger(layout, state)
    state.close()
    unfinished.replace(path)
    return State(path)


def partition_files(layout: Layout, table: Table) -> Iterator[tuple[Path, Partition]]:
    """Return the table's files that lie where the layout puts them."""
    for path in sorted((layout.root / table.name).rglob("*.parquet")):
        if (parsed := layout.parse(path)) is not None:
            yield path, parsed[1]


def set_aside(path: Path) -> None:
    """Rename a damaged database, so that it can be looked into."""
    path.replace(path.with_suffix(f".damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}"))
    remove_database(path)


def remove_database(path: Path) -> None:
    """Remove a SQLite database and what belongs to it."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


def _index(state: State, table: Table, found: list[tuple[Path, Partition]]) -> None:
    index = index_of(table)
    keys = read_keys(table, [path for path, _ in found])
    with state.transaction():
        for path, partition in found:
            state.reindex(
                table.name,
                partition,
                index.name,
                keys.get(str(path), []),
                path.stat().st_size,
                archived=index.name != table.name,
            )
