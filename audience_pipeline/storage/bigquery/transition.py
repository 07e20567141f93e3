"""Compare-and-set on engine-owned columns, for many keys in one statement.

Belongs here: reading rows, and writing those that are still the same. Does not belong here: what a change may ask for
(:mod:`audience_pipeline.storage.changes`).

Rows are read and compared by the same code as on files, and what they become is decided here. The write carries a guard
for each, a hash of the whole row as it was read, and leaves alone what somebody changed meanwhile: such rows are read
and compared again. So a change is won or lost against the row as it is when it is written.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
import polars as pl
import pyarrow as pa

from audience_pipeline.errors import ConflictError
from audience_pipeline.storage.bigquery.attempts import until_not_overtaken
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.fragments import json_value, within
from audience_pipeline.storage.bigquery.guards import GUARD, guarded
from audience_pipeline.storage.bigquery.queries import bounds, key_months
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.storage.changes import Row, changed, check_changes, differences
from audience_pipeline.storage.contract import Change, TransitionResult
from audience_pipeline.storage.frames import admit
from audience_pipeline.tables import Column, LogicalType, Table
from audience_pipeline.tables.arrow import arrow_schema

_ROUNDS = 20
_BYTES_AT_ONCE = 4 * 2**20
"""A request may not grow beyond 10 MB, and a change is escaped once more on its way."""


def transition(warehouse: Warehouse, table: Table, changes: Sequence[Change]) -> TransitionResult:
    """Apply ``changes``, at most one a key; the keys of absent rows are lost.

    Raises RefusedError, and changes nothing, where a new value breaks the declaration.
    """
    check_changes(table, changes)
    won: list[str] = []
    lost: dict[str, Mapping[str, Any]] = {}
    open_changes = {change.key: change for change in changes}
    for _ in range(_ROUNDS):
        if not open_changes:
            return TransitionResult(tuple(won), lost)
        done = _round(warehouse, table, open_changes, lost)
        won += done
        open_changes = {key: each for key, each in open_changes.items() if key not in {*done, *lost}}
    raise ConflictError(
        object=f"{table.name} {next(iter(open_changes))}",
        found=f"a row that others changed in each of {_ROUNDS} attempts",
        expected="one that stays for a moment",
        remedy="Run again; the other changes of the call were made or lost.",
    )


def _round(
    warehouse: Warehouse, table: Table, changes: Mapping[str, Change], lost: dict[str, Mapping[str, Any]]
) -> list[str]:
    """Read the rows, note lost changes, and make the others unless their row changes meanwhile; return their keys."""
    span = key_months(warehouse, table, list(changes))
    rows = guarded(warehouse, table, list(changes), span, operation="transition") if span else {}
    fresh: list[Row] = []
    for key, change in changes.items():
        found = differences(table, rows.get(key), change)
        if found is None:
            fresh.append(changed(table, rows[key], change.put))
        else:
            lost[key] = found
    columns = [column for column in table.columns if any(_puts(change, column) for change in changes.values())]
    if not fresh or not columns or span is None:
        return [row[table.key] for row in fresh]
    batches = _encoded(table, columns, _admitted(table, fresh), {key: row[GUARD] for key, row in rows.items()})
    return [key for batch in batches for key in _write(warehouse, table, columns, batch, span)]


def _puts(change: Change, column: Column) -> bool:
    return any(name.partition(".")[0] == column.name for name in change.put)


def _admitted(table: Table, rows: Sequence[Row]) -> pl.DataFrame:
    """Return rows in canonical form, once all are known to fit the declaration."""
    plain = [{name: row[name] for name in table.column_names} for row in rows]
    return admit(table, pl.DataFrame(pl.from_arrow(pa.Table.from_pylist(plain, schema=arrow_schema(table)))))


def _write(
    warehouse: Warehouse, table: Table, columns: Sequence[Column], changes: str, span: tuple[int, int]
) -> list[str]:
    """Write the rows that are still what their guards say; return their keys."""
    text = statement(
        "transition",
        table=table.name,
        key=table.key,
        within=within(table, "t"),
        values=", ".join(f"{_value(column)} AS `{column.name}`" for column in columns),
        assignments=", ".join(f"`{column.name}` = w.`{column.name}`" for column in columns),
    )
    parameters = {"changes": changes, **bounds(table, span)}
    job = f"transition_{uuid4().hex}"
    found = until_not_overtaken(
        lambda attempt: warehouse.run(
            text, parameters, object=f"table {table.name}", operation="transition", job_id=f"{job}_{attempt}"
        ).arrow()
    )
    won: list[str] = found.column("won_key").to_pylist()
    return won


def _encoded(table: Table, columns: Sequence[Column], rows: pl.DataFrame, guards: Mapping[str, str]) -> Iterator[str]:
    """Yield the changes as JSON arrays of a size that a statement takes as a parameter."""
    batch: list[bytes] = []
    size = 0
    for row in rows.iter_rows(named=True):
        values = {f"new_{column.name}": _plain(row[column.name]) for column in columns}
        batch.append(msgspec.json.encode({"key": row[table.key], "guard": guards[row[table.key]], **values}))
        size += len(batch[-1])
        if size > _BYTES_AT_ONCE:
            yield f"[{b','.join(batch).decode()}]"
            batch, size = [], 0
    if batch:
        yield f"[{b','.join(batch).decode()}]"


def _plain(value: Any) -> Any:  # noqa: ANN401 - any column's value
    return round(value.replace(tzinfo=UTC).timestamp() * 1000) if isinstance(value, datetime) else value


def _value(column: Column) -> str:
    """Return what makes a column's value of a change, which is the JSON value ``c``."""
    text = f"JSON_VALUE(c, '$.new_{column.name}')"
    match column.type:
        case LogicalType.TIMESTAMP:
            return f"TIMESTAMP_MILLIS(CAST({text} AS INT64))"
        case LogicalType.INT64:
            return f"CAST({text} AS INT64)"
        case LogicalType.STRINGS:
            return f"JSON_VALUE_ARRAY(c, '$.new_{column.name}')"
        case LogicalType.JSON:
            return json_value(text)
        case _:
            return text
