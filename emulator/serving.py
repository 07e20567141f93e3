"""The emulator as it is served here: its own program, with cheaper looks into its catalog.

Belongs here: what runs inside the emulator's environment, in place of its own executable. Does not belong here: what
this project's environment runs (`emulator.process`).

For each table that a statement names, the emulator lists all tables, views and columns of all its databases several
times, and it keeps the result of every query as one more table. So a statement costs a second and more, after some
thousand others on a few dozen tables; and of two tables made at once one fails. Here it looks a table up by name, keeps
the latest results only, and records tables one after the other. That is all that differs: what it answers stays the
same, which the tests of this package hold.
"""

import functools
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import duckdb
from local_bigquery import cli
from local_bigquery.catalog import metadata, tables
from local_bigquery.engine import database
from local_bigquery.jobs import query

KEPT_RESULTS = 200
_COLUMNS = "FROM duckdb_columns() WHERE database_name = ? AND schema_name = ? AND table_name = ?"
_TEMPORARY = "SELECT table_name FROM duckdb_tables() WHERE temporary"
_NO_TEMPORARY = "SELECT '' AS table_name LIMIT 0"
_OBJECTS = """
SELECT table_name, 'TABLE', coalesce(record_count, 0)
FROM {catalog}.ducklake_table AS t JOIN {catalog}.ducklake_schema AS s USING (schema_id)
  LEFT JOIN {catalog}.ducklake_table_stats USING (table_id)
WHERE schema_name = $1 AND table_name = $2 AND t.end_snapshot IS NULL AND s.end_snapshot IS NULL
UNION ALL
SELECT view_name, 'VIEW', 0
FROM {catalog}.ducklake_view AS v JOIN {catalog}.ducklake_schema AS s USING (schema_id)
WHERE schema_name = $1 AND view_name = $2 AND v.end_snapshot IS NULL AND s.end_snapshot IS NULL
"""

_list_objects: Callable[..., list[tuple[Any, ...]]] = database.objects
_fetch: Callable[..., list[tuple[Any, ...]]] = database.fetch
_execute_own: Callable[..., None] = metadata.execute
_write: Callable[..., bool] = tables.write
_connect: Callable[[], Any] = database._connect
_execute: Callable[..., Any] = query.execute
_results: deque[str] = deque()
_turn = threading.Lock()


def _objects(project_id: str, dataset_id: str, table_id: str | None = None) -> list[tuple[Any, ...]]:
    """Return a table or view of a name, with its kind and its rows, or all there are."""
    if table_id is None:
        return _list_objects(project_id, dataset_id)
    if dataset_id == tables.RESULTS:
        return _result(project_id, dataset_id, table_id)
    catalog = database.quote(f"__ducklake_metadata_{project_id}")
    try:
        return _fetch(_OBJECTS.format(catalog=catalog), [dataset_id, table_id])
    except duckdb.CatalogException:
        return _list_objects(project_id, dataset_id, table_id)


def _result(project_id: str, dataset_id: str, table_id: str) -> list[tuple[Any, ...]]:
    try:
        ((rows,),) = _fetch(f"SELECT count(*) FROM {database.quote(project_id, dataset_id, table_id)}")  # noqa: S608 - quoted
    except duckdb.CatalogException:
        return []
    return [(table_id, "TABLE", rows)]


def _fetched(sql: str, params: list[Any] | None = None) -> list[tuple[Any, ...]]:
    """Fetch rows; those about the columns of one table, from that table alone."""
    if _COLUMNS not in sql or not params:
        return _fetch(sql, params)
    columns = 'FROM (SELECT name AS column_name, NOT "notnull" AS is_nullable FROM pragma_table_info(?)) WHERE true'
    try:
        return _fetch(sql.replace(_COLUMNS, columns), [database.quote(*params[:3]), *params[3:]])
    except duckdb.CatalogException:
        return []


def _recorded(sql: str, params: list[Any] | None = None) -> None:
    """Write to the emulator's own records one after the other, since two at once fail on each other's keys."""
    with _turn:
        _execute_own(sql, params)


def _written(cur: Any, sql: str, params: Any, reference: tuple[str, str, str], *rest: Any, **named: Any) -> bool:  # noqa: ANN401 - the emulator's
    """Write a table; of those that hold results of queries, drop the one that is the oldest by now."""
    new = _write(cur, sql, params, reference, *rest, **named)
    if new and reference[1] == tables.RESULTS:
        with _turn:
            _results.append(tables.name(*reference))
            old = _results.popleft() if len(_results) > KEPT_RESULTS else None
        if old is not None:
            database.execute(f"DROP TABLE IF EXISTS {old}")
    return new


class _Fresh:
    """A cursor nobody has used: it has no temporary tables, so nobody needs to look for some."""

    def __init__(self, cur: Any) -> None:  # noqa: ANN401 - DuckDB's
        self._cur = cur

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - anything of a cursor's
        return getattr(self._cur, name)

    def sql(self, query: str, **named: Any) -> Any:  # noqa: ANN401 - the same
        return self._cur.sql(_NO_TEMPORARY if query == _TEMPORARY else query, **named)


@functools.cache
def _connected() -> Any:  # noqa: ANN401 - DuckDB's
    """Connect without more threads: statements are small, and tests run side by side."""
    connection = _connect()
    connection.execute("SET threads = 1")
    return connection


def _executed(cur: Any, *rest: Any, session: Any = None, **named: Any) -> Any:  # noqa: ANN401 - the emulator's
    """Execute a query; outside a session, on a cursor of its own."""
    return _execute(cur if session else _Fresh(cur), *rest, session=session, **named)


def main() -> None:
    """Serve, with the arguments of the emulator's own program."""
    database.objects, database.fetch, tables.write, query.execute = _objects, _fetched, _written, _executed
    database._connect, metadata.execute = _connected, _recorded
    cli.main()


if __name__ == "__main__":
    main()
