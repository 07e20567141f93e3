"""Prove the invariants on a real store: every file, every row, and the index against both.

Belongs here: walking the store, comparing index and files, mending the index. Does not belong here: what may be wrong
inside one file (:mod:`.inspection`). A repair touches the index; a row it removes only where a killed move left its
equal.
"""

import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from audience_pipeline.storage.agenda import work_of
from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.contract import Finding, Placement
from audience_pipeline.storage.months import with_month
from audience_pipeline.storage.parquet import agenda
from audience_pipeline.storage.parquet.core import Core
from audience_pipeline.storage.parquet.inspection import Inspected, inspect
from audience_pipeline.storage.parquet.landed_findings import landed_findings
from audience_pipeline.storage.parquet.layout import Partition
from audience_pipeline.storage.parquet.leftovers import leftovers
from audience_pipeline.tables import STORED, Reference, Table

_LOG = logging.getLogger(__name__)
_PORTION = 500
STATE_DAMAGE = "state"
"""The kind of finding that says the state cannot be used, until the store is opened again."""
_BACKUP = "Restore it from a backup, or rebuild the month from its landed records."
_FOUND = (
    "CREATE TABLE found (tbl TEXT, key TEXT, archived INT, user_id TEXT, month INT, path TEXT,"
    " PRIMARY KEY (tbl, key, archived)) WITHOUT ROWID"
)
_REINDEX = "Run `audience-pipeline verify --repair`."


def verify(core: Core, *, repair: bool) -> list[Finding]:
    """Return all that is wrong, mended where ``repair`` can mend it.

    A damaged state is the only finding: without it nothing can be compared, and opening the store rebuilds it.
    """
    if (damage := core.state.damage()) is not None:
        return [_damaged_state(core, damage)]
    findings = list(leftovers(core))
    seen = sqlite3.connect("")
    seen.execute(_FOUND)
    unread: set[tuple[str, Partition]] = set()
    for table in STORED:
        findings += _table(core, table, seen, unread, repair=repair)
    findings += _lost_keys(core, seen, unread, repair=repair)
    findings += _references(core, unread)
    findings += landed_findings(core)
    seen.close()
    return findings


def _damaged_state(core: Core, found: str) -> Finding:
    return Finding(
        STATE_DAMAGE,
        str(core.state.path),
        found=found,
        expected="a sound state database",
        remedy="Run `audience-pipeline verify --repair`, or any command: opening the store rebuilds it from the files.",
    )


def _table(
    core: Core, table: Table, seen: sqlite3.Connection, unread: set[tuple[str, Partition]], *, repair: bool
) -> Iterator[Finding]:
    listed = core.listed(table)
    found: list[tuple[Partition, Path]] = []
    for path in sorted(each for each in (core.layout.root / table.name).rglob("*") if not each.is_dir()):
        if (parsed := core.layout.parse(path)) is None:
            yield _stray(table, path)
        else:
            found.append((parsed[1], path))
    for start in range(0, len(found), _PORTION):
        for inspected in _inspected(core, table, found[start : start + _PORTION]):
            yield from inspected.findings
            yield from _duplicates(table, inspected, seen)
            if inspected.readable:
                yield from _index(core, table, inspected, repair=repair)
                yield from _agenda(core, table, inspected, repair=repair)
            else:
                unread.add((index_of(table).name, inspected.partition))
        _LOG.info("Verified %d of %d files of %s.", min(start + _PORTION, len(found)), len(found), table.name)
    yield from _missing(core, table, listed.difference(partition for partition, _ in found), repair=repair)


def _inspected(core: Core, table: Table, portion: list[tuple[Partition, Path]]) -> Iterator[Inspected]:
    """Inspect files while no writer replaces them, nor the index of them."""
    with core.hold(table, [partition for partition, _ in portion], damaged=True):
        yield from inspect(table, portion)


def _stray(table: Table, path: Path) -> Finding:
    return Finding(
        "stray file",
        str(path),
        found="a file that is not in the documented layout",
        expected=f"only partition files below {table.name}/",
        remedy="Move it out of the data directory; if it holds rows, land them.",
    )


def _missing(core: Core, table: Table, partitions: set[Partition], *, repair: bool) -> Iterator[Finding]:
    """Find partitions the index lists and no file holds, unless a writer is just making the file."""
    for partition in sorted(partitions):
        with core.hold(table, [partition]):
            if core.existing(table, [partition]) or not core.state.recorded_size(table.name, partition):
                continue
            if repair:
                core.state.drop_partition(table.name, partition, index_of(table).name)
        remedy = "The index forgot its keys: materialize the month again to bring the rows back." if repair else _BACKUP
        path = str(core.layout.path(table, partition))
        yield Finding("missing file", path, "no file", "the file the index lists", remedy, repaired=repair)


def _duplicates(table: Table, inspected: Inspected, seen: sqlite3.Connection) -> Iterator[Finding]:
    """Find keys that were found before; only an archive may have a copy, in the same place."""
    index, archived = index_of(table), index_of(table) is not table
    for key in inspected.keys:
        before = seen.execute(
            "SELECT archived, user_id, month, path FROM found WHERE tbl = ? AND key = ?", (index.name, key)
        )
        rows = before.fetchall()
        if not rows or [row[:3] for row in rows] == [(int(not archived), *inspected.partition)]:
            place = (index.name, key, archived, *inspected.partition, str(inspected.path))
            seen.execute("INSERT INTO found VALUES (?, ?, ?, ?, ?, ?)", place)
            continue
        yield Finding(
            "duplicate key",
            f"{table.name} {key}",
            found=f"rows in {rows[0][3]} and {inspected.path}",
            expected="one row a key, live and archive together",
            remedy="Remove the older file.",
        )


def _index(core: Core, table: Table, inspected: Inspected, *, repair: bool) -> Iterator[Finding]:
    """Hold the index against one file: its size, and the place of each of its keys."""
    placements = core.state.placements(index_of(table).name, inspected.keys)
    wrong = [key for key in inspected.keys if not _known(table, inspected.partition, placements.get(key))]
    size = (len(inspected.keys), inspected.path.stat().st_size)
    recorded = core.state.recorded_size(table.name, inspected.partition)
    if not wrong and recorded == size:
        return
    if repair:
        core.reindex(table, inspected.partition)
    changed = f"{size[0]} rows and {size[1]} bytes, on record are {recorded or 'none'}"
    yield Finding(
        "index",
        str(inspected.path),
        found=f"{len(wrong)} keys the index has elsewhere or not at all (first: {wrong[0]})" if wrong else changed,
        expected="an index that agrees with the file; other programs must not write it",
        remedy=_REINDEX,
        repaired=repair,
    )


def _known(table: Table, partition: Partition, place: Placement | None) -> bool:
    """Return whether a key of a file is where the index has it; an archive's may live in the live file beside it."""
    if place is None or not place.placed or Partition(place.user_id, place.month) != partition:
        return False
    return index_of(table) is not table or not place.archived


def _agenda(core: Core, table: Table, inspected: Inspected, *, repair: bool) -> Iterator[Finding]:
    """Hold the agenda against the rows of one file."""
    if table.agenda is None:
        return
    wanted = sorted(work_of(table, with_month(table, core.rows(table, [inspected.partition]))).entries)
    recorded = agenda.entries(core.state, table, inspected.partition)
    if wanted == recorded:
        return
    if repair:
        core.reindex(table, inspected.partition)
    yield Finding(
        "agenda",
        str(inspected.path),
        found=f"{len(recorded)} rows noted as due, {len(set(recorded) - set(wanted))} of them wrongly",
        expected=f"the {len(wanted)} that the file has, with their times",
        remedy=_REINDEX,
        repaired=repair,
    )


def _lost_keys(
    core: Core, seen: sqlite3.Connection, unread: set[tuple[str, Partition]], *, repair: bool
) -> Iterator[Finding]:
    """Find keys the index places in a file that does not have them; an unreadable file may still hold its keys."""
    for table in STORED:
        if index_of(table) is not table:
            continue
        for portion in core.state.placed_keys(table.name):
            for key, partition, archived in portion:
                place = (table.name, key, archived)
                known = seen.execute("SELECT 1 FROM found WHERE (tbl, key, archived) = (?, ?, ?)", place).fetchone()
                if known or (table.name, partition) in unread or _written_since(core, table, key, partition):
                    continue
                if repair:
                    _forget(core, table, key, partition)
                yield Finding(
                    "lost row",
                    f"{table.name} {key}",
                    found="no row in any file",
                    expected=f"a row for user {partition.user_id!r}, month {partition.month}{', archived' * archived}",
                    remedy=_BACKUP,
                    repaired=repair,
                )


def _forget(core: Core, table: Table, key: str, partition: Partition) -> None:
    """Have the index forget a key without a row; where its archive has a copy, it lives there."""
    with core.hold(table, [partition], damaged=True):
        core.reindex(table, partition)
    place = core.state.placements(table.name, [key]).get(key)
    if place is not None and not place.archived:
        core.state.drop_key(table.name, key)


def _written_since(core: Core, table: Table, key: str, partition: Partition) -> bool:
    """Return whether a writer placed the key after its partition was inspected, or moved it."""
    with core.hold(table, [partition]):
        return key in core.rows(table, core.existing(table, [partition]))[table.key]


def _references(core: Core, unread: set[tuple[str, Partition]]) -> Iterator[Finding]:
    """Find rows whose reference is absent, or another tenant's."""
    for table in STORED:
        if not table.references or index_of(table) is not table:
            continue
        listed = [each for each in core.state.partitions(table.name) if (table.name, each) not in unread]
        partitions = core.existing(table, listed)
        for start in range(0, len(partitions), _PORTION):
            portion = partitions[start : start + _PORTION]
            with core.hold(table, portion):
                rows = core.rows(table, portion)
            for reference in table.references:
                yield from _dangling(core, table, reference, rows)


def _dangling(core: Core, table: Table, reference: Reference, rows: pl.DataFrame) -> Iterator[Finding]:
    known = core.state.placements(reference.table, rows[reference.column].unique().to_list())
    for key, user_id, target in rows.select(table.key, "user_id", reference.column).iter_rows():
        if target not in known or known[target].user_id != user_id:
            yield Finding(
                "reference",
                f"{table.name} {key}",
                found=f"{reference.column} {target}, which user {user_id!r} does not have",
                expected=f"a key of {reference.table} of the same user",
                remedy=f"Land the missing record of {reference.table}.",
            )
