"""Reads: the state names the files, DuckDB reads them, values are bound.

Belongs here: turning a query into files and a statement. Does not belong here: the documented access patterns (they are
SQL files). Listing directories is what kills reads of many small files, so none is listed: the partition list in the
state gives exactly the files of a user and a month range, and the key index the one file of a key.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pyarrow as pa

from audience_pipeline.errors import ConflictError, UsageError
from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.contract import EVERYTHING, Predicate, Query
from audience_pipeline.storage.parquet.core import Core
from audience_pipeline.storage.parquet.duck import Duck, rows_of
from audience_pipeline.storage.parquet.layout import Partition, relative_path
from audience_pipeline.storage.parquet.steady import damage_told, steady
from audience_pipeline.tables import Table
from audience_pipeline.tables.arrow import arrow_schema

_OPERATORS = {"=", "!=", "<", "<=", ">", ">=", "in"}
_INSTANT = timedelta(microseconds=1)
_ALL_MONTHS = (0, 999_999)


def files(core: Core, table: Table, *, user_id: str | None = None, months: tuple[int, int] | None = None) -> list[str]:
    """Return the absolute paths of the files of a user and an inclusive month range, newest month first."""
    found = core.state.partitions(table.name, user_id=user_id, months=months, newest_first=True)
    return [f"{core.layout.root}/{relative_path(table, partition)}" for partition in found]


def read(core: Core, duck: Duck, table: Table, query: Query) -> pa.Table:
    """Return the rows a query asks for, in the declared types."""
    columns = _known(table, query.columns if query.columns is not None else table.column_names)
    homes = core.state.partitions(table.name, user_id=query.user_id, months=_months(table, query), newest_first=True)
    return _rows(core, table, homes, partial(select, duck, table, columns, _predicates(query), query))


def get(core: Core, duck: Duck, table: Table, keys: Sequence[str], columns: Sequence[str] | None) -> pa.Table:
    """Return the rows of keys, looking only into the files the index names."""
    index = index_of(table)
    archived = index is not table
    placements = core.state.placements(index.name, list(keys)).values()
    homes = {Partition(place.user_id, place.month) for place in placements if place.archived == archived}
    names = _known(table, columns if columns is not None else table.column_names)
    where = [Predicate(table.key, "in", list(keys))]
    return _rows(
        core, table, core.existing(table, sorted(homes)), partial(select, duck, table, names, where, EVERYTHING)
    )


def _rows(
    core: Core, table: Table, homes: Sequence[Partition], read_files: Callable[[Sequence[str]], pa.Table]
) -> pa.Table:
    """Read the files of partitions; where writers keep replacing them, they have to wait for once."""
    paths = [str(core.layout.path(table, partition)) for partition in homes]
    try:
        return steady(paths, lambda: read_files(paths))
    except ConflictError:
        with core.hold(table, homes):
            return read_files(paths)


def select(
    duck: Duck,
    table: Table,
    columns: Sequence[str],
    where: Sequence[Predicate],
    query: Query,
    paths: Sequence[str],
) -> pa.Table:
    """Run one statement over files: identifiers come from the declaration, values are bound."""
    schema = pa.schema([arrow_schema(table).field(name) for name in columns])
    conditions, values = _conditions(table, where)
    if not paths:
        return schema.empty_table()
    statement = f"SELECT {_names(columns)} FROM read_parquet(?, hive_partitioning = false){conditions}"  # noqa: S608 - declared names only
    if query.order_by:
        statement += " ORDER BY " + ", ".join(_direction(table, name) for name in query.order_by)
    if query.limit is not None:
        statement += " LIMIT ?"
        values.append(query.limit)
    with damage_told(table):
        found = rows_of(duck.cursor(), statement, [list(paths), *values])
    return found.cast(schema)


def _predicates(query: Query) -> list[Predicate]:
    found = list(query.where)
    if query.user_id is not None:
        found.append(Predicate("user_id", "=", query.user_id))
    if query.since is not None:
        found.append(Predicate("created_at", ">=", _naive(query.since)))
    if query.until is not None:
        found.append(Predicate("created_at", "<", _naive(query.until)))
    return found


def _months(table: Table, query: Query) -> tuple[int, int] | None:
    if not table.by_month:
        return None
    first, last = query.months or _ALL_MONTHS
    if query.since is not None:
        first = max(first, month_of(_naive(query.since)))
    if query.until is not None:
        last = min(last, month_of(_naive(query.until) - _INSTANT))
    return first, last


def month_of(moment: datetime) -> int:
    """Return the month of a moment as ``yyyymm``."""
    return moment.year * 100 + moment.month


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _conditions(table: Table, where: Sequence[Predicate]) -> tuple[str, list[Any]]:
    parts, values = [], []
    for predicate in where:
        (name,) = _known(table, [predicate.column])
        value = _naive(predicate.value) if isinstance(predicate.value, datetime) else predicate.value
        if predicate.operator not in _OPERATORS:
            raise UsageError(
                object=f"{table.name}.{name}",
                found=f"the operator {predicate.operator}",
                expected=f"one of {', '.join(sorted(_OPERATORS))}",
                remedy="Ask with one of these, or filter what is returned.",
            )
        if predicate.operator == "in":
            parts.append(f'list_contains(?, "{name}")')
        elif value is None and predicate.operator in {"=", "!="}:
            parts.append(f'"{name}" IS {"NOT " if predicate.operator == "!=" else ""}NULL')
            continue
        else:
            parts.append(f'"{name}" {predicate.operator} ?')
        values.append(value)
    return (" WHERE " + " AND ".join(parts) if parts else ""), values


def _known(table: Table, names: Sequence[str]) -> list[str]:
    wrong = [name for name in names if name not in table.by_name]
    if wrong:
        raise UsageError(
            table.name,
            found=f"columns {', '.join(wrong)}",
            expected=f"some of {', '.join(table.column_names)}",
            remedy="Ask for declared columns only.",
        )
    return list(names)


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _direction(table: Table, name: str) -> str:
    (column,) = _known(table, [name.removeprefix("-")])
    return f'"{column}" DESC' if name.startswith("-") else f'"{column}"'
