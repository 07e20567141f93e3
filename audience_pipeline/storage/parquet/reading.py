"""Reads: the state names the files, DuckDB reads them, values are bound.

Belongs here: turning a query into files and a statement. Does not belong here: the documented access patterns (they are
SQL files). Listing directories is what kills reads of many small files, so none is listed: the partition list in the
state gives exactly the files of a user and a month range, and the key index the one file of a key.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from audience_pipeline.errors import ConflictError
from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.contract import EVERYTHING, Predicate, Query
from audience_pipeline.storage.parquet.core import Core
from audience_pipeline.storage.parquet.duck import Duck, rows_of
from audience_pipeline.storage.parquet.layout import Partition, relative_path
from audience_pipeline.storage.parquet.steady import damage_told, steady
from audience_pipeline.storage.selection import declared, directions, month_range, predicates
from audience_pipeline.tables import Table
from audience_pipeline.tables.arrow import arrow_schema, without_rows


def files(core: Core, table: Table, *, user_id: str | None = None, months: tuple[int, int] | None = None) -> list[str]:
    """Return the absolute paths of a user's files in an inclusive month range, newest first, those without rows not."""
    users = None if user_id is None else [user_id]
    found = core.state.partitions(table.name, users=users, months=months, filled=True, newest_first=True)
    return [f"{core.layout.root}/{relative_path(table, partition)}" for partition in found]


def read(core: Core, duck: Duck, table: Table, query: Query) -> pa.Table:
    """Return the rows a query asks for, in the declared types."""
    columns = declared(table, query.columns if query.columns is not None else table.column_names)
    homes = core.state.partitions(
        table.name, users=_users(query), months=month_range(table, query), filled=True, newest_first=True
    )
    return _rows(core, table, homes, partial(select, duck, table, columns, predicates(table, query), query))


def _users(query: Query) -> list[str] | None:
    """Return the users a query asks for, None for all."""
    if query.user_id is None:
        return None if query.user_ids is None else list(query.user_ids)
    return [query.user_id] if query.user_ids is None or query.user_id in query.user_ids else []


def get(core: Core, duck: Duck, table: Table, keys: Sequence[str], columns: Sequence[str] | None) -> pa.Table:
    """Return the rows of keys, looking only into the files the index names."""
    index = index_of(table)
    archived = index is not table
    placements = core.state.placements(index.name, list(keys)).values()
    homes = {Partition(place.user_id, place.month) for place in placements if place.archived == archived}
    names = declared(table, columns if columns is not None else table.column_names)
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
    conditions, values = _conditions(where)
    if not paths:
        return without_rows(schema)
    statement = f"SELECT {_names(columns)} FROM read_parquet(?, hive_partitioning = false){conditions}"  # noqa: S608 - declared names only
    if query.order_by:
        ordered = directions(table, query.order_by)
        statement += " ORDER BY " + ", ".join(f'"{name}"{" DESC" * down}' for name, down in ordered)
    if query.limit is not None:
        statement += " LIMIT ?"
        values.append(query.limit)
    with damage_told(table):
        found = rows_of(duck.cursor(), statement, [list(paths), *values])
    return found.cast(schema)


def _conditions(where: Sequence[Predicate]) -> tuple[str, list[Any]]:
    parts, values = [], []
    for predicate in where:
        name, value = predicate.column, predicate.value
        if value is None and predicate.operator in {"=", "!="}:
            parts.append(f'"{name}" IS {"NOT " if predicate.operator == "!=" else ""}NULL')
            continue
        parts.append(
            f'list_contains(?, "{name}")' if predicate.operator == "in" else f'"{name}" {predicate.operator} ?'
        )
        values.append(value)
    return (" WHERE " + " AND ".join(parts) if parts else ""), values


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
