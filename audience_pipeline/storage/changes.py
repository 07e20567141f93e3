"""Compare-and-set on one row: what may be asked for, whether a row is as expected, and what it becomes.

Belongs here: the rules of a :class:`Change`, the same on every backend. Does not belong here: reading, locking or
writing rows; which transitions make sense (the delivery engine knows).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from audience_pipeline.errors import UsageError
from audience_pipeline.storage.contract import Change
from audience_pipeline.tables import LogicalType, Owner, Table

Row = dict[str, Any]


def check_changes(table: Table, changes: Sequence[Change]) -> None:
    """Refuse changes that cannot be meant: of columns that are not the engine's, or two of one key.

    Raises:
        UsageError: naming the column or the key.
    """
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


def differences(table: Table, row: Row | None, change: Change) -> dict[str, Any] | None:
    """Return what ``row`` has for each thing expected of it, or None where all of it is as expected."""
    if row is None:
        return {table.key: None}
    found = {name: _value(table, row, name) for name in change.expect}
    return None if found == {name: _plain(value) for name, value in change.expect.items()} else found


def changed(table: Table, row: Row, put: Mapping[str, Any]) -> Row:
    """Return ``row`` with the new values; JSON columns as texts that are not canonical yet."""
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
