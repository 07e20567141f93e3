"""The ledger rebuilt from the landed parts, when the state is lost.

Belongs here: what the parts say about files and keys. Does not belong here: the key index of the tables
(:mod:`.rebuild`). A file whose publication had begun is published to the end; one that was only staged counts as new.
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from audience_pipeline.storage.parquet.landing import publish, staging_directory
from audience_pipeline.storage.parquet.layout import Layout
from audience_pipeline.storage.parquet.parts import month_of_part, part_path
from audience_pipeline.storage.parquet.positions import has_positions, note_landed
from audience_pipeline.storage.parquet.state import State
from audience_pipeline.tables import LANDED, POSITION, TABLES, Table

_LOG = logging.getLogger(__name__)
_KEYS = (
    "INSERT INTO keys (tbl, key, user_id, month, phase, accepted_month) VALUES (?, ?, ?, ?, 1, ?)"
    " ON CONFLICT (tbl, key) DO UPDATE SET accepted_month = excluded.accepted_month WHERE accepted_month = 0"
)


def rebuild_ledger(layout: Layout, state: State, *, publish: bool) -> None:
    """List every landed part in an empty ledger, and mark the keys in them as accepted.

    A part that cannot be read is left out, for `verify` to name.
    """
    for source, landed in LANDED.items():
        if publish:
            _finish_publications(layout, landed)
        for path in _published(layout, landed):
            try:
                _register(layout, state, source, landed, path)
            except (OSError, pa.ArrowException) as error:
                _LOG.warning("%s is left out of the ledger: %s", path, str(error).splitlines()[0])


def _finish_publications(layout: Layout, landed: Table) -> None:
    numbers = {int(path.name.partition("-")[0]) for path in _published(layout, landed)}
    for number in numbers:
        staged = staging_directory(layout.staging, number)
        waiting = [path for path in staged.glob("*.parquet") if landed is LANDED.get(_says(path)["ledger_table"])]
        publish(layout.root, staged, [_place(landed, path) for path in waiting])


def _place(landed: Table, staged: Path) -> str:
    number, sequence, month = (int(part) for part in staged.stem.split("-"))
    return str(part_path(landed, number, sequence, month))


def _published(layout: Layout, landed: Table) -> list[Path]:
    return sorted((layout.root / landed.name).rglob("*.parquet"))


def _says(path: Path) -> dict[str, str]:
    metadata = pq.read_metadata(path).metadata or {}
    return {name.decode(): value.decode() for name, value in metadata.items() if name != b"ARROW:schema"}


def _register(layout: Layout, state: State, source: str, landed: Table, path: Path) -> None:
    said = _says(path)
    number, month = int(said["ledger_number"]), month_of_part(path)
    columns = landed.column_names if has_positions(TABLES[source]) else (landed.key, "user_id", POSITION, "landed_at")
    rows = pq.ParquetFile(path).read(list(dict.fromkeys(columns))).sort_by(POSITION)
    with state.transaction() as db:
        entry = (number, source, said["ledger_digest"], said["ledger_name"])
        db.execute(
            "INSERT OR IGNORE INTO ledger (number, tbl, digest, name, status) VALUES (?, ?, ?, ?, 'landed')", entry
        )
        part = (number, month, str(path.relative_to(layout.root)), rows.num_rows)
        db.execute("INSERT OR IGNORE INTO landed_parts (number, month, path, rows) VALUES (?, ?, ?, ?)", part)
        db.execute("UPDATE meta SET value = max(value, ?) WHERE name = 'sequence'", (number,))
        db.executemany(_KEYS, _keys(source, rows, month))
        if has_positions(TABLES[source]):
            note_landed(db, TABLES[source], rows)


def _keys(source: str, rows: pa.Table, month: int) -> Iterator[Sequence[Any]]:
    """Yield the keys of a part's rows with their place and the month they were accepted in."""
    key = LANDED[source].key
    for row in rows.select(list(dict.fromkeys((key, "user_id", "landed_at")))).to_pylist():
        accepted = row["landed_at"].year * 100 + row["landed_at"].month
        yield source, row[key], row["user_id"], month, accepted
