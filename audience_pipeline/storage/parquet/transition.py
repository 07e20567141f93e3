"""Compare-and-set on engine-owned columns, for many keys at once.

Belongs here: reading and writing rows under their partitions' locks. Does not belong here: what a change may ask for
(:mod:`audience_pipeline.storage.changes`). Each change is won or lost on its own, and only rows that changed are
written.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.changes import Row, changed, check_changes, differences
from audience_pipeline.storage.contract import Change, TransitionResult
from audience_pipeline.storage.frames import admit
from audience_pipeline.storage.months import with_month
from audience_pipeline.storage.parquet.core import Core
from audience_pipeline.storage.parquet.layout import Partition
from audience_pipeline.tables import Table


def transition(core: Core, table: Table, changes: Sequence[Change]) -> TransitionResult:
    """Apply ``changes``, at most one a key; the keys of absent rows are lost.

    Raises RefusedError, and changes nothing, where a new value breaks the declaration.
    """
    check_changes(table, changes)
    placements = core.state.placements(index_of(table).name, [change.key for change in changes])
    live = index_of(table) is table
    grouped: defaultdict[Partition, list[Change]] = defaultdict(list)
    lost: dict[str, Mapping[str, Any]] = {}
    for change in changes:
        place = placements.get(change.key)
        if place is None or place.archived == live:
            lost[change.key] = {table.key: None}
        else:
            grouped[Partition(place.user_id, place.month)].append(change)
    won = _apply(core, table, grouped, lost) if grouped else []
    return TransitionResult(tuple(won), lost)


def _apply(
    core: Core, table: Table, grouped: Mapping[Partition, Sequence[Change]], lost: dict[str, Mapping[str, Any]]
) -> list[str]:
    won: list[str] = []
    with core.hold(table, grouped):
        stored = with_month(table, core.rows(table, core.existing(table, sorted(grouped))))
        wanted = {change.key: change for changes in grouped.values() for change in changes}
        rows = {
            row[table.key]: row for row in stored.filter(pl.col(table.key).is_in(list(wanted))).iter_rows(named=True)
        }
        fresh_rows: list[Row] = []
        for key, change in wanted.items():
            found = differences(table, rows.get(key), change)
            if found is None:
                fresh_rows.append(changed(table, rows[key], change.put))
                won.append(key)
            else:
                lost[key] = found
        if fresh_rows:
            fresh = admit(table, pl.DataFrame(fresh_rows, schema=stored.schema))
            touched = {Partition(row["user_id"], row["_month"]) for row in fresh_rows}
            kept = stored.filter(~pl.col(table.key).is_in(won))
            kept = kept.join(fresh.select("user_id", "_month").unique(), on=["user_id", "_month"], how="semi")
            core.state.begin(table.name, touched, index_of(table).name, {}, core.clock())
            core.replace(table, kept, fresh, leaving=fresh)
    return won
