"""Views for analysts, derived from the declarations as DuckDB SQL.

Belongs here: the text of views. Does not belong here: writing a database, or where the data lies: that is a placeholder
for whoever runs the text.

Every stored table is a view over its files as they are when it is read. A table without files still has its columns,
because each reader is the union of the files there are and of nothing, typed. JSON columns have DuckDB's JSON type, and
each of a declared shape has a view with its members as typed columns, too. Secret columns are in no view. The file's
own `user_id` counts, never the directory's name (`hive_partitioning = false`).
"""

import json
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from msgspec import inspect

from audience_pipeline.tables import (
    AUDIENCES,
    DISTRIBUTION_EVENTS,
    DISTRIBUTIONS,
    DISTRIBUTIONS_ARCHIVE,
    PLATFORMS,
    STORED,
    USERS,
    LogicalType,
    Table,
)
from audience_pipeline.tables.journal import LOG_DOC, LOGGED
from audience_pipeline.tables.types import DUCKDB

DATA = "{data}"
"""Stands for the absolute data directory, with glob characters and quotes escaped."""

VARIABLE = "data_dir"
"""A DuckDB variable that, where a session sets it, takes the place of the data directory: for a copy of the tables."""

ROOT = f"coalesce(getvariable('{VARIABLE}'), '{DATA}')"
"""The SQL expression of the directory the tables lie in."""

ALL_DISTRIBUTIONS = "distributions_all"


@dataclass(frozen=True, slots=True)
class Unfolded:
    """A view that turns JSON members into columns: a row for each row, or for each element where the JSON is a list.

    ``source`` is the view it reads, ``carried`` what it keeps of it, ``columns`` the JSON columns of ``table``.
    """

    name: str
    doc: str
    table: Table
    source: str
    carried: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def by_element(self) -> bool:
        """Whether there is a row for each element."""
        return isinstance(self._shape(self.columns[0]), inspect.ListType)

    def structure(self, column: str) -> str:
        """Return the members of a column and their DuckDB types, as ``from_json`` wants them."""
        return json.dumps(_structure(self._shape(column)), separators=(",", ":"))

    def _shape(self, column: str) -> inspect.Type:
        return inspect.type_info(self.table.by_name[column].json_type)


_AUDIENCE = ("audience_id", "user_id")
_DISTRIBUTION = ("distribution_id", "user_id", "audience_id", "platform_id", "created_at", "executed_at", "status")

UNFOLDED = (
    Unfolded("audience_segments", "Segments of audiences.", AUDIENCES, "audiences", _AUDIENCE, ("segments",)),
    Unfolded("audience_variables", "Variables of audiences.", AUDIENCES, "audiences", _AUDIENCE, ("variable_details",)),
    Unfolded("audience_metadata", "What audiences are for.", AUDIENCES, "audiences", _AUDIENCE, ("metadata",)),
    Unfolded(
        "platform_settings",
        "How platforms are used.",
        PLATFORMS,
        "platforms",
        ("platform_id", "user_id", "platform_type", "status"),
        ("settings",),
    ),
    Unfolded(
        "distribution_results",
        "Match results and errors of all distributions, archived ones too.",
        DISTRIBUTIONS,
        ALL_DISTRIBUTIONS,
        (*_DISTRIBUTION, "archived_at"),
        ("match_results", "error_details"),
    ),
    Unfolded(
        "distribution_metadata",
        "Campaign, cost and approval of all distributions, archived ones too.",
        DISTRIBUTIONS,
        ALL_DISTRIBUTIONS,
        (*_DISTRIBUTION, "archived_at"),
        ("metadata",),
    ),
    Unfolded("user_quotas", "Limits of users, and their use.", USERS, "users", ("user_id",), ("quota",)),
)
"""The views of JSON columns."""


TENANT = "tenant"
"""A DuckDB variable: the encoded id of the user whose files a session's views read."""


def views(*, of_tenant: bool = False) -> list[str]:
    """Return the statements that create all views, in an order in which they can be run.

    They read the files of all users, or those of the one that the variable `TENANT` names.
    """
    user = f"getvariable('{TENANT}')" if of_tenant else None
    stored = [statement for table in STORED for statement in _table_view(table, user)]
    return [
        *stored,
        *_all_distributions(),
        *_delivery_log(),
        *(statement for view in UNFOLDED for statement in _unfolded(view)),
    ]


def reader(table: Table, path: str) -> str:
    """Return a SELECT of a table's columns, the secret ones left out, from the files that match a SQL expression."""
    columns = [column for column in table.columns if not column.secret]
    names = ",\n  ".join(
        f"{column.name}::JSON AS {column.name}" if column.type is LogicalType.JSON else column.name
        for column in columns
    )
    typed = ",\n    ".join(f"NULL::{_stored_as(column.type)} AS {column.name}" for column in columns)
    return (
        f"SELECT\n  {names}\nFROM (\n"
        f"  FROM read_parquet(\n    {path},\n    hive_partitioning = false, allow_empty = true\n  )\n"
        f"  UNION ALL BY NAME\n  SELECT\n    {typed}\n  WHERE false\n)"
    )


def paths(table: Table, user: str | None = None) -> str:
    """Return the SQL expression of a table's files.

    They are all users', or those of one, of whose encoded id ``user`` is the SQL expression.
    """
    months = f"year=*/month=*/{table.name}_*" if table.by_month else table.name
    between = "*" if user is None else f"' || {user} || '"
    return f"{ROOT} || '/{table.name}/user_id={between}/{months}.parquet'"


def commented(kind: str, name: str, doc: str) -> str:
    """Return the statement that documents a view or macro."""
    return f"COMMENT ON {kind} {name} IS {quoted(doc)};"


def quoted(text: str) -> str:
    """Return a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def _table_view(table: Table, user: str | None) -> list[str]:
    select = reader(table, paths(table, user))
    columns = [
        commented("COLUMN", f"{table.name}.{column.name}", column.doc) for column in table.columns if not column.secret
    ]
    return [*_view(table.name, table.doc, select), "\n".join(columns)]


def _all_distributions() -> list[str]:
    live, archive, key = DISTRIBUTIONS.name, DISTRIBUTIONS_ARCHIVE.name, DISTRIBUTIONS.key
    # Read once: were the live files read for each use, a row that leaves them in between would be doubled or missed.
    select = (
        f"WITH live AS MATERIALIZED (FROM {live})\n"
        "SELECT *, NULL::TIMESTAMP AS archived_at FROM live\nUNION ALL BY NAME\n"
        f"SELECT * FROM {archive} ANTI JOIN live USING ({key})"
    )
    return _view(ALL_DISTRIBUTIONS, "Live and archived distributions; archived_at is null in live ones.", select)


def _delivery_log() -> list[str]:
    events, key = DISTRIBUTION_EVENTS, DISTRIBUTIONS.key
    columns = ", ".join(f"{'e' if name in events.by_name else 'd'}.{name}" for name in LOGGED)
    joined = f"{events.name} AS e LEFT JOIN {ALL_DISTRIBUTIONS} AS d ON d.{key} = e.{key} AND d.user_id = e.user_id"
    return _view("delivery_log", LOG_DOC, f"SELECT {columns}\nFROM {joined}")


def _unfolded(view: Unfolded) -> list[str]:
    members = [f"from_json({column}, {quoted(view.structure(column))})" for column in view.columns]
    carried = ", ".join(view.carried)
    if view.by_element:
        select = (
            f"SELECT {carried}, position, unnest(element)\n"
            f"FROM {view.source}, unnest({members[0]}) WITH ORDINALITY AS element_at(element, position)"
        )
    else:
        columns = "".join(f",\n  unnest({member})" for member in members)
        select = f"SELECT {carried}{columns}\nFROM {view.source}"
    return _view(view.name, view.doc, select)


def _view(name: str, doc: str, select: str) -> list[str]:
    return [f"CREATE VIEW {name} AS\n{select};", commented("VIEW", name, doc)]


def _stored_as(kind: LogicalType) -> str:
    """Return the DuckDB type a Parquet file's column is read as; JSON is text there."""
    return DUCKDB[LogicalType.STRING if kind is LogicalType.JSON else kind]


@singledispatch
def _structure(kind: inspect.Type) -> Any:  # noqa: ANN401 - JSON
    """Return the ``from_json`` structure of a shape; what is left open stays JSON."""
    return _SCALARS.get(type(kind), "JSON")


@_structure.register
def _(kind: inspect.StructType) -> Any:  # noqa: ANN401 - JSON
    return {member.encode_name: _structure(member.type) for member in kind.fields}


@_structure.register
def _(kind: inspect.ListType) -> Any:  # noqa: ANN401 - JSON
    return [_structure(kind.item_type)]


@_structure.register
def _(kind: inspect.UnionType) -> Any:  # noqa: ANN401 - JSON
    (present,) = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
    return _structure(present)


_SCALARS: dict[type[inspect.Type], str] = {
    inspect.BoolType: "BOOLEAN",
    inspect.DateTimeType: "TIMESTAMP",
    inspect.FloatType: "DOUBLE",
    inspect.IntType: "BIGINT",
    inspect.LiteralType: "VARCHAR",
    inspect.StrType: "VARCHAR",
}
