"""Sealed texts replaced in files: of live rows under their partitions' locks, of landed records part by part.

Belongs here: the two writes. Does not belong here: what may replace what (:mod:`audience_pipeline.storage.resealing`).
A part is replaced by one with the same records in the same order, so whoever is killed in between leaves the one or the
other, and its metadata goes on saying which file they came from.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from audience_pipeline.errors import storage_errors
from audience_pipeline.storage.contract import Resealed
from audience_pipeline.storage.months import with_month
from audience_pipeline.storage.parquet.core import Core
from audience_pipeline.storage.parquet.files import Staging, encoded
from audience_pipeline.storage.parquet.upsert import partitions_of
from audience_pipeline.storage.resealing import secret_column
from audience_pipeline.tables import POSITION, Table

_NEW = "_new"


def reseal_rows(core: Core, table: Table, rows: Sequence[Resealed]) -> int:
    """Replace texts of live rows; see the contract."""
    users = {row.user_id for row in rows}
    homes = sorted(home for home in core.listed(table) if home.user_id in users)
    with core.hold(table, homes):
        stored = with_month(table, core.rows(table, core.existing(table, homes)))
        fresh = _replaced(table, table.key, stored, rows)
        if not fresh.is_empty():
            kept = stored.join(fresh.select(table.key), on=table.key, how="anti")
            kept = kept.join(fresh.select("user_id", "_month").unique(), on=["user_id", "_month"], how="semi")
            core.state.begin(table.name, partitions_of(fresh), table.name, {}, core.clock())
            core.replace(table, kept, fresh)
    return fresh.height


def reseal_parts(core: Core, table: Table, parts: Sequence[Path], rows: Sequence[Resealed]) -> int:
    """Replace texts of landed records in those of ``parts`` that have them; see the contract."""
    replaced = 0
    with Staging.opened(core.layout) as staging:
        for part in parts:
            with storage_errors(part):
                held = pq.read_table(part, partitioning=None)
            changed = _replaced(table, POSITION, pl.DataFrame(pl.from_arrow(held)), rows)
            if not changed.is_empty():
                staging.add(str(part), encoded(_merged(held, table, changed)))
                replaced += changed.height
        staging.publish()
    return replaced


def _replaced(table: Table, place: str, stored: pl.DataFrame, rows: Sequence[Resealed]) -> pl.DataFrame:
    """Return those of the stored rows that still have the old texts, with the new ones."""
    column = secret_column(table).name
    wanted = {place: [row.place for row in rows], column: [row.old for row in rows], _NEW: [row.new for row in rows]}
    found = stored.join(pl.DataFrame(wanted), on=[place, column], how="inner")
    return found.with_columns(pl.col(_NEW).alias(column)).drop(_NEW).select(stored.columns)


def _merged(held: pa.Table, table: Table, changed: pl.DataFrame) -> pa.Table:
    """Return a part's records in their order, with the texts of the changed ones."""
    column = secret_column(table).name
    fresh: Mapping[int, str] = dict(changed.select(POSITION, column).iter_rows())
    present = zip(held.column(POSITION).to_pylist(), held.column(column).to_pylist(), strict=True)
    texts = pa.array([fresh.get(position, text) for position, text in present], held.schema.field(column).type)
    return held.set_column(held.schema.get_field_index(column), held.schema.field(column), texts)
