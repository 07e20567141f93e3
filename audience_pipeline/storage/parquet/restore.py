"""Take over rows of another store: written as they are, with what its index says of them.

Belongs here: the two verbs, `keys` and `restore`. Does not belong here: what may be taken over
(:mod:`audience_pipeline.storage.restoring`). Order of steps and recovery are those of an upsert: a partition that was
being written when its writer was killed is re-indexed from its file, and the rows that are not in it come again.
"""

import polars as pl
import pyarrow as pa

from audience_pipeline.errors import ConflictError
from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.months import MONTH, with_month
from audience_pipeline.storage.parquet.core import Core
from audience_pipeline.storage.parquet.layout import Partition
from audience_pipeline.storage.parquet.upsert import chunks, partitions_of
from audience_pipeline.storage.restoring import check_restored, key_table, phase_of_rows
from audience_pipeline.tables import Table
from audience_pipeline.tables.bookkeeping import ACCEPTED

_KEY = "key"


def keys(core: Core, table: Table) -> pa.Table:
    """Return what the index says of a table's keys; see the contract."""
    index, phase = index_of(table), phase_of_rows(table)
    found = core.state.known_keys(index.name, archived=index is not table)
    return key_table(
        [(key, user, month, phase if placed else ACCEPTED, *rest) for key, user, month, placed, *rest in found]
    )


def restore(core: Core, table: Table, frame: pl.DataFrame, known: pl.DataFrame) -> None:
    """Write a prepared frame of rows that are not here, and note what another index knows of them and of other keys."""
    for chunk in chunks(frame):
        of_chunk = known.join(_keys(table, chunk), on=_KEY, how="semi")
        with core.hold(table, partitions_of(chunk)):
            _check(core, table, chunk, of_chunk)
            _write(core, table, chunk, of_chunk)
    rest = known.join(_keys(table, frame), on=_KEY, how="anti")
    _check(core, table, frame.clear(), rest)
    core.state.restore_keys(index_of(table).name, _plain(rest))


def _keys(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.col(table.key).alias(_KEY))


def _check(core: Core, table: Table, rows: pl.DataFrame, known: pl.DataFrame) -> None:
    check_restored(table, rows, known, core.state.placements(index_of(table).name, known[_KEY].to_list()))


def _write(core: Core, table: Table, chunk: pl.DataFrame, known: pl.DataFrame) -> None:
    """Replace the held partitions of ``chunk`` by what they have and the chunk."""
    index, homes = index_of(table).name, partitions_of(chunk)
    stored = with_month(table, core.rows(table, core.existing(table, sorted(homes))))
    places = {key: Partition(user, month) for key, user, month, *_ in known.iter_rows()}
    with core.state.transaction():
        if not core.state.begin(table.name, homes, index, places, core.clock()):
            raise ConflictError(
                table.name,
                found="keys that another writer reserved meanwhile",
                expected="no other writers while rows are taken over",
                remedy="Stop them and run again.",
            )
        core.state.restore_keys(index, _plain(known))
    names = [*table.column_names, MONTH]
    positions = dict(known.select(_KEY, "position").iter_rows())
    core.replace(table, stored.select(names), chunk.select(names), positions=positions, placed=list(positions))


def _plain(known: pl.DataFrame) -> list[tuple[str, str, int, bool, int, int]]:
    return [(key, user, month, phase != ACCEPTED, *rest) for key, user, month, phase, *rest in known.iter_rows()]
