"""Compare-and-set on engine-owned columns, for many keys at once.

Belongs here: reading, comparing and writing rows under their partitions' locks. Does not belong here: which transitions
make sense (the delivery engine knows). Each change is won or lost on its own, and only rows that changed are written.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import polars as pl

from audience_pipeline.errors import UsageError
from audience_pipeline.storage.contract import Change, TransitionResult
from audience_pipeline.storage.parquet.core import Core, index_of
from audience_pipeline.storage.parquet.files import with_month
from audience_pipeline.storage.parquet.frames import admit
from audience_pipeline.storage.parquet.layout import Partition
from audience_pipeline.tables import LogicalType, Owner, Table

Row = dict[str, Any]


def transition(core: Core, table: Table, changes: Sequence[Change]) -> TransitionResult:
    """Apply ``changes``, at most one a key; the keys of absent rows are lost.

    Raises RefusedError, and changes nothing, where a new value breaks the declaration.
    """
    _check(table, changes)
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
        changed: list[Row] = []
        for key, change in wanted.items():
            found = _found(table, rows.get(key), change.expect)
            if found == {name: _plain(value) for name, value in change.expect.items()} and key in rows:
                changed.append(_changed(table, rows[key], change.put))
                won.append(key)
            else:
                lost[key] = found
        if changed:
            fresh = admit(table, pl.DataFrame(changed, schema=stored.schema))
            touched = {Partition(row["user_id"], row["_month"]) for row in changed}
            kept = stored.filter(~pl.col(table.key).is_in(won))
            kept = kept.join(fresh.select("user_id", "_month").unique(), on=["user_id", "_month"], how="semi")
            core.state.begin(table.name, touched, index_of(table).name, {}, core.clock())
            core.replace(table, pl.concat([kept, fresh]))
    return won


def _check(table: Table, changes: Sequence[Change]) -> None:
    """Refuse changes that cannot be meant: of columns that are not the engine's, or two of one key."""
    for change in changes:
        _check_owned(table, change.put)
        for name in change.expect:
            if name.partition(".")[0] not in table.by_name:
                raise UsageError(
                    object=f"{table.name}.{name}",
                    found="an expectation",
                    expected=f"a column of {table.name}, or a member of one",
                    remedy="Expect only what the table has.",
                )
    ((key, times),) = Counter(change.key for change in changes).most_common(1) or [("", 0)]
    if times > 1:
        raise UsageError(
            object=f"{table.name} {key}",
            found=f"{times} changes at once",
            expected="at most one change a key",
            remedy="Make one change of them, or call again with the second.",
        )


def _check_owned(table: Table, put: Mapping[str, Any]) -> None:
    for name in put:
        column, _, member = name.partition(".")
        declared = table.by_name.get(column)
        if declared is None or not (declared.owner is Owner.ENGINE or member in declared.engine_members):
            raise UsageError(
                object=f"{table.name}.{name}",
                found="a change by the engine",
                expected="a column or member the engine owns",
                remedy="Land the change as a record; the application owns this one.",
            )


def _found(table: Table, row: Row | None, expect: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the row has for each thing expected of it."""
    return {name: _value(table, row, name) for name in expect} if row is not None else {table.key: None}


def _value(table: Table, row: Row, name: str) -> Any:  # noqa: ANN401 - any column's value
    column, _, path = name.partition(".")
    value = row[column]
    if table.by_name[column].type is LogicalType.JSON and value is not None:
        value = msgspec.json.decode(value)
        for member in path.split(".") if path else ():
            value = value.get(member) if isinstance(value, dict) else None
    return _plain(value)


def _plain(value: Any) -> Any:  # noqa: ANN401 - any column's value
    """Bring times to the stored form, so that an expected moment equals the stored one."""
    if isinstance(value, datetime):
        value = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    return value


def _changed(table: Table, row: Row, put: Mapping[str, Any]) -> Row:
    fresh = dict(row)
    for name, value in put.items():
        column, _, member = name.partition(".")
        declared = table.by_name[column]
        if declared.type is not LogicalType.JSON:
            fresh[column] = _plain(value)
            continue
        members = {**msgspec.json.decode(fresh[column] or "{}"), member: value} if member else value
        fresh[column] = msgspec.json.encode(members).decode() if members is not None else None
    return fresh
