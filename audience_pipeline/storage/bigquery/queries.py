"""Reads: a query becomes one statement, with its conditions, order and limit left to the service.

Belongs here: read, get and content digests. Does not belong here: the documented access patterns (they are SQL files).
Bounds on ``created_at`` are constants, so that only the partitions they meet are read and billed.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.fragments import month_value, output
from audience_pipeline.storage.bigquery.rules import phase_of
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.storage.contract import Predicate, Query
from audience_pipeline.storage.months import FIRST_MONTH, LAST_MONTH, month_bounds
from audience_pipeline.storage.selection import declared, directions, month_range, predicates
from audience_pipeline.tables import KEYS, LogicalType, Table
from audience_pipeline.tables.arrow import arrow_schema, without_rows
from audience_pipeline.tables.canonical import canonical_text, content_digest

KEYS_AT_ONCE = 10_000
"""Keys one statement is given as a parameter: a request may not grow beyond 10 MB."""


def read(warehouse: Warehouse, table: Table, query: Query) -> pa.Table:
    """Return the rows a query asks for, in the declared types."""
    columns = declared(table, query.columns if query.columns is not None else table.column_names)
    conditions, parameters = _conditions(table, query)
    ordered = ", ".join(f"`{name}`{' DESC' * down}" for name, down in directions(table, query.order_by))
    if query.limit is not None:
        parameters["row_limit"] = query.limit
    text = statement(
        "select",
        columns=", ".join(output(table.by_name[name]) for name in columns),
        table=table.name,
        conditions=" AND ".join(conditions) or "TRUE",
        order=f"\nORDER BY {ordered}" if ordered else "",
        limit="\nLIMIT @row_limit" if query.limit is not None else "",
    )
    found = warehouse.run(text, parameters, object=f"table {table.name}", operation="read").arrow()
    return typed(table, columns, found)


def get(warehouse: Warehouse, table: Table, keys: Sequence[str], columns: Sequence[str] | None) -> pa.Table:
    """Return the rows of keys, looking only into the months the index names."""
    names = declared(table, columns if columns is not None else table.column_names)
    found = [_get(warehouse, table, portion, names) for portion in portions(keys)]
    return pa.concat_tables([without_rows(_schema(table, names)), *found])


def portions(keys: Iterable[str]) -> list[list[str]]:
    """Cut keys, each once, into portions of a size a statement takes."""
    each = list(dict.fromkeys(keys))
    return [each[start : start + KEYS_AT_ONCE] for start in range(0, len(each), KEYS_AT_ONCE)]


def digests(warehouse: Warehouse, table: Table) -> dict[int, str]:
    """Return a content digest for each month that has rows."""
    found = {month: read(warehouse, table, of_month(table, month)) for month in months(warehouse, [table])[table]}
    return {month: content_digest(table, rows) for month, rows in found.items() if rows.num_rows}


def months(warehouse: Warehouse, tables: Sequence[Table]) -> dict[Table, list[int]]:
    """Return the months that have rows, oldest first; 0 is the only one of a table without months."""
    texts = [statement("months", month=month_value(table), table=table.name) for table in tables]
    found = warehouse.run("UNION ALL\n".join(texts), object=f"dataset {warehouse.dataset}", operation="read").arrow()
    rows = [(row["table_name"], int(row["month"])) for row in found.to_pylist()]
    return {table: sorted(month for name, month in rows if name == table.name) for table in tables}


def of_month(table: Table, month: int) -> Query:
    """Return the query of a month's rows; all rows where the table has no months."""
    return Query(months=(month, month)) if table.by_month else Query()


def _get(warehouse: Warehouse, table: Table, keys: Sequence[str], names: Sequence[str]) -> pa.Table:
    span = key_months(warehouse, table, keys)
    if span is None:
        return without_rows(_schema(table, names))
    return read(warehouse, table, Query(names, months=span, where=[Predicate(table.key, "in", keys)]))


def key_months(warehouse: Warehouse, table: Table, keys: Sequence[str]) -> tuple[int, int] | None:
    """Return the first and the last month of those of ``keys`` whose row is in ``table``, None if none is."""
    index = KEYS[index_of(table).name].name
    text = statement("key_months", index=index, phase=phase_of(table))
    found: list[int] = []
    for portion in portions(keys):
        rows = warehouse.run(text, {"keys": portion}, object=f"table {index}", operation="get").arrow().to_pylist()
        found += [month for month in rows[0].values() if month is not None]
    return (min(found), max(found)) if found else None


def bounds(table: Table, span: tuple[int, int]) -> dict[str, Any]:
    """Return the parameters ``since`` and ``until`` of the months from first to last; a table without them has none."""
    if not table.by_month:
        return {}
    since, until = month_bounds(*span)
    return {"since": since, "until": until}


def typed(table: Table, columns: Sequence[str], rows: pa.Table) -> pa.Table:
    """Return rows of the service in the declared types, JSON in its canonical text."""
    frame = pl.DataFrame(pl.from_arrow(rows)).select(_plain(table, name) for name in columns)
    for name in columns:
        if table.by_name[name].type is LogicalType.JSON:
            frame = frame.with_columns(_canonical(table, name, frame[name]))
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(_schema(table, columns))


def _plain(table: Table, name: str) -> pl.Expr:
    """Return an expression that types a column as declared: moments in UTC without a zone, absent arrays empty."""
    value = pl.col(name)
    match table.by_name[name].type:
        case LogicalType.TIMESTAMP:
            return value.dt.convert_time_zone("UTC").dt.replace_time_zone(None).dt.cast_time_unit("ms")
        case LogicalType.STRINGS:
            return value.cast(pl.List(pl.String)).fill_null([])
        case LogicalType.INT64:
            return value.cast(pl.Int64)
        case _:
            return value.cast(pl.String)


def _canonical(table: Table, name: str, texts: pl.Series) -> pl.Series:
    """Return JSON texts in canonical form; the service writes numbers and members in an order of its own."""
    known = {text: canonical_text(table.by_name[name], text) for text in texts.unique()}
    return pl.Series(name, [known[text] for text in texts], pl.String)


def _schema(table: Table, columns: Sequence[str]) -> pa.Schema:
    return pa.schema([arrow_schema(table).field(name) for name in columns])


def _conditions(table: Table, query: Query) -> tuple[list[str], dict[str, Any]]:
    parts: list[str] = []
    values: dict[str, Any] = {}
    if (span := month_range(table, query)) is not None and span != (FIRST_MONTH, LAST_MONTH):
        since, until = month_bounds(*span)
        parts.append("created_at >= @months_since AND created_at < @months_until")
        values |= {"months_since": since, "months_until": until}
    for predicate in predicates(table, query):
        part, value = _condition(predicate, f"value_{len(values)}")
        parts.append(part)
        values |= value
    return parts, values


def _condition(predicate: Predicate, name: str) -> tuple[str, dict[str, Any]]:
    column, value = f"`{predicate.column}`", predicate.value
    if predicate.operator == "in":
        return f"{column} IN UNNEST(@{name})", {name: list(value)}
    if value is None:
        absent = {"=": f"{column} IS NULL", "!=": f"{column} IS NOT NULL"}
        return absent.get(predicate.operator, "FALSE"), {}
    return f"{column} {predicate.operator} @{name}", {name: value}
