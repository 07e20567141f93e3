"""Move rows between a live table and its archive: copied and verified before they leave.

Belongs here: the two writes and the index in between. Does not belong here: which rows are old enough, or how long
readers are given. A reader of both tables may meet a row twice while a move is under way, never not at all; the
combined view leaves out archive rows whose key is live. Killed between the writes, the next move of the key finishes,
or a repair does.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import polars as pl

from audience_pipeline.errors import CorruptionError
from audience_pipeline.storage.archives import check_move, index_of
from audience_pipeline.storage.contract import MoveResult
from audience_pipeline.storage.months import MONTH, with_month
from audience_pipeline.storage.parquet.core import Core
from audience_pipeline.storage.parquet.layout import Partition
from audience_pipeline.tables import Table
from audience_pipeline.tables.canonical import content_digest


def move(core: Core, source: Table, target: Table, keys: Sequence[str], put: Mapping[str, Any]) -> MoveResult:
    """Move the rows of ``keys``; ``put`` gives values for columns only ``target`` has."""
    check_move(source, target, put)
    index = index_of(source)
    placements = core.state.placements(index.name, keys)
    homes = sorted({Partition(place.user_id, place.month) for place in placements.values()})
    moved: list[str] = []
    with _held(core, source, target, homes):
        stored = with_month(source, core.rows(source, core.existing(source, homes)))
        leaving = stored.filter(pl.col(source.key).is_in(list(keys)))
        if not leaving.is_empty():
            _copy(core, source, target, leaving, put)
            _remove(core, source, stored, leaving)
            moved = leaving[source.key].to_list()
    left = {key: f"not in {source.name}" for key in keys if key not in set(moved)}
    return MoveResult(tuple(moved), left)


@contextmanager
def _held(
    core: Core, source: Table, target: Table, homes: Iterable[Partition], *, damaged: bool = False
) -> Iterator[None]:
    """Hold partitions of both tables, always the live one's first: two moves in opposite directions then take turns."""
    live, archive = (source, target) if index_of(source) is source else (target, source)
    homes = list(homes)
    with core.hold(live, homes, damaged=damaged), core.hold(archive, homes, damaged=damaged):
        yield


def finish_moves(core: Core, live: Table, archive: Table) -> list[str]:
    """Remove one of two equal rows, live and archived, that a killed move left: the one the index does not name.

    Returns their keys. Rows that differ stay as they are, as do files that cannot be read.
    """
    finished: list[str] = []
    for home in sorted(core.listed(live) & core.listed(archive)):
        with suppress(CorruptionError), _held(core, live, archive, [home], damaged=True):
            finished += _finish(core, live, archive, home)
    return finished


def _finish(core: Core, live: Table, archive: Table, home: Partition) -> list[str]:
    stored, archived = (with_month(table, core.rows(table, core.existing(table, [home]))) for table in (live, archive))
    twice = stored.join(archived, on=live.key, how="semi")
    placements = core.state.placements(live.name, twice[live.key].to_list())
    alike = [key for key in placements if _row_digest(live, stored, key) == _row_digest(live, archived, key)]
    for table, rows in ((live, stored), (archive, archived)):
        surplus = [key for key in alike if placements[key].archived == (table is live)]
        if surplus:
            _remove(core, table, rows, rows.filter(pl.col(live.key).is_in(surplus)))
    return alike


def _row_digest(live: Table, rows: pl.DataFrame, key: str) -> str:
    return _digest(live, rows.filter(pl.col(live.key) == key))


def _copy(core: Core, source: Table, target: Table, leaving: pl.DataFrame, put: Mapping[str, Any]) -> None:
    """Write the rows to the target and read them back; only what is proven to be there may leave."""
    homes = sorted({Partition(*place) for place in leaving.select("user_id", MONTH).iter_rows()})
    present = with_month(target, core.rows(target, core.existing(target, homes)))
    extra = [pl.lit(value).cast(present.schema[name]).alias(name) for name, value in put.items()]
    arriving = leaving.with_columns(extra).select(present.columns)
    kept = present.join(arriving.select(target.key), on=target.key, how="anti")
    index = index_of(source)
    core.state.begin(target.name, homes, index.name, {}, core.clock())
    core.replace(target, kept, arriving, placed=arriving[target.key].to_list())
    copied = core.rows(target, homes).join(leaving.select(source.key), on=source.key, how="semi")
    if _digest(index, copied) != _digest(index, leaving):
        raise CorruptionError(
            target.name,
            found="rows that differ from what was written",
            expected=f"the {leaving.height} rows of {source.name} that were copied",
            remedy="Check the disk; nothing left the source. Run `audience-pipeline verify`, then repeat.",
        )


def _digest(table: Table, rows: pl.DataFrame) -> str:
    names = [name for name in table.column_names if name in rows.columns]
    return content_digest(table, rows.select(names).to_arrow())


def _remove(core: Core, source: Table, stored: pl.DataFrame, leaving: pl.DataFrame) -> None:
    homes = {Partition(*place) for place in leaving.select("user_id", MONTH).iter_rows()}
    touched = leaving.select("user_id", MONTH).unique()
    kept = stored.join(leaving.select(source.key), on=source.key, how="anti")
    kept = kept.join(touched, on=["user_id", MONTH], how="semi")
    core.state.begin(source.name, homes, index_of(source).name, {}, core.clock())
    core.replace(source, kept, kept.clear(), leaving=leaving)
