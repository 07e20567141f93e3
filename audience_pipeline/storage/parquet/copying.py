"""Copy rows between a live table and its archive, and remove what the other has, each under both tables' locks.

Belongs here: the two writes. Does not belong here: which rows are old enough, or how long readers are given between
them. Both change one table only, so a killed one leaves that partition pending, and whoever takes it next re-indexes it
from the two files: a key lives where its live row is.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import polars as pl

from audience_pipeline.errors import CorruptionError
from audience_pipeline.storage.archives import copied, index_of, removed, twin
from audience_pipeline.storage.comparing import alike
from audience_pipeline.storage.contract import MoveResult, Placement
from audience_pipeline.storage.months import MONTH, with_month
from audience_pipeline.storage.parquet.core import Core
from audience_pipeline.storage.parquet.layout import Partition
from audience_pipeline.storage.parquet.upsert import partitions_of
from audience_pipeline.tables import Table


def copy(core: Core, target: Table, rows: pl.DataFrame) -> MoveResult:
    """Write a prepared frame of rows beside those of the other table; see the contract."""
    rows = rows.unique(target.key, keep="last", maintain_order=True)
    given = rows[target.key].to_list()
    with _held(core, target, sorted(partitions_of(rows))):
        places = core.state.placements(index_of(target).name, given)
        homes = zip(given, rows.select("user_id", MONTH).iter_rows(), strict=True)
        moved = [key for key, home in homes if _lives_in(twin(target), places.get(key), home)]
        if moved:
            _write(core, target, rows.filter(pl.col(target.key).is_in(moved)))
    return copied(target, given, moved)


def remove(core: Core, source: Table, keys: Sequence[str]) -> MoveResult:
    """Remove rows the other table has, too; see the contract."""
    places = core.state.placements(index_of(source).name, keys)
    homes = sorted({Partition(place.user_id, place.month) for place in places.values()})
    moved: list[str] = []
    with _held(core, source, homes):
        stored = with_month(source, core.rows(source, core.existing(source, homes)))
        asked = stored.filter(pl.col(source.key).is_in(list(keys)))
        living = [
            key for key, place in core.state.placements(index_of(source).name, keys).items() if not place.archived
        ]
        leaving = asked.filter(pl.col(source.key).is_in(living))
        if index_of(source) is source:
            leaving = alike(source, leaving, core.rows(twin(source), core.existing(twin(source), homes)))
        if not leaving.is_empty():
            moved = leaving[source.key].to_list()
            _remove(core, source, stored, leaving)
    return removed(source, keys, moved)


@contextmanager
def _held(core: Core, table: Table, homes: Sequence[Partition]) -> Iterator[None]:
    """Hold partitions of both tables, always the live one's first: two ways in opposite directions then take turns."""
    live = index_of(table)
    with core.hold(live, homes), core.hold(twin(live), homes):
        yield


def _lives_in(table: Table, place: Placement | None, home: tuple[str, int]) -> bool:
    if place is None or not place.placed or (place.user_id, place.month) != home:
        return False
    return place.archived == (index_of(table) is not table)


def _write(core: Core, target: Table, arriving: pl.DataFrame) -> None:
    """Replace the partitions of ``arriving``, and read them back."""
    index, homes = index_of(target), sorted(partitions_of(arriving))
    present = with_month(target, core.rows(target, core.existing(target, homes)))
    arriving = arriving.select(present.columns)
    kept = present.join(arriving.select(target.key), on=target.key, how="anti")
    core.state.begin(target.name, homes, index.name, {}, core.clock())
    core.replace(target, kept, arriving, placed=arriving[target.key].to_list() if index is target else ())
    written = pl.concat([kept, arriving]).drop(MONTH).sort(target.key)
    if not core.rows(target, homes).sort(target.key).equals(written):
        raise CorruptionError(
            target.name,
            found="rows that differ from what was written",
            expected=f"the {written.height} rows of {len(homes)} files as they were written",
            remedy="Check the disk; nothing left the other table. Run `audience-pipeline verify`, then repeat.",
        )


def _remove(core: Core, source: Table, stored: pl.DataFrame, leaving: pl.DataFrame) -> None:
    homes = leaving.select("user_id", MONTH).unique()
    kept = stored.join(leaving.select(source.key), on=source.key, how="anti")
    kept = kept.join(homes, on=["user_id", MONTH], how="semi")
    index = index_of(source)
    core.state.begin(source.name, partitions_of(leaving), index.name, {}, core.clock())
    core.replace(source, kept, kept.clear(), leaving=leaving)
