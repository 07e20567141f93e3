"""Tenant sessions: what the seal costs.

The same statements over the same views of the same tenant's files, sealed and on a plain connection of DuckDB.
"""

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa

from audience_pipeline.queries.catalog import without_wildcards
from audience_pipeline.queries.sessions import open_session
from audience_pipeline.settings import load_settings
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import DISTRIBUTIONS
from audience_pipeline.tables.duckdb import TENANT, VARIABLE, quoted, views
from bench import rows
from bench.measuring import Result, alternately, at_most, shown
from bench.workbench import Workbench

_USER = "user-00000"
_OPENING = 0.05
_REPEATS = 9
_STATEMENTS = {
    "count and group": "SELECT status, count(*), max(created_at) FROM distributions GROUP BY ALL ORDER BY ALL",
    "newest fifty": "SELECT * FROM distributions ORDER BY created_at DESC LIMIT 50",
    "live and archived": "SELECT count(*) FROM distributions_all",
}
_FRESH = "SELECT status, count(*) FROM distributions WHERE status <> '{}' GROUP BY ALL ORDER BY ALL"


def sessions(bench: Workbench) -> list[Result]:
    """Open a session, and ask it what a plain connection is asked."""
    root = bench.directory / "tenants"
    with ParquetStore(root) as store:
        store.upsert(DISTRIBUTIONS, rows.distributions(rows.SMALL))
    settings = load_settings(data_dir=root)
    (opening,) = alternately([lambda: open_session(_USER, settings).close()], _REPEATS)
    what, bar = "opening a tenant session, recorded in the audit log", f"≤ {shown(_OPENING)}"
    results = [Result(what, str(opening), "", shown(opening.median), bar, opening.median <= _OPENING)]
    with open_session(_USER, settings) as session, _plain(root) as plain:
        for what, statement in _STATEMENTS.items():
            sealed, unsealed = partial(session.sql, statement), partial(_rows, plain, statement)
            assert sealed().to_pylist() == unsealed().to_pylist()
            ours, other = alternately([sealed, unsealed], _REPEATS, block=5)
            results.append(at_most(f"tenant session: {what}", 1.2, ours, other, "other: plain DuckDB, the same views"))
        texts = map(_FRESH.format, itertools.count())
        calls: list[Callable[[], object]] = [lambda: session.sql(next(texts)), lambda: _rows(plain, next(texts))]
        ours, other = alternately(calls, _REPEATS, block=5)
        results.append(at_most("tenant session: statements it never had before", 1.2, ours, other, "other: the same"))
    return results


def _rows(connection: duckdb.DuckDBPyConnection, statement: str) -> pa.Table:
    return connection.sql(statement).to_arrow_table()


def _plain(root: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"SET VARIABLE {VARIABLE} = {quoted(without_wildcards(str(root)))}; SET TimeZone = 'UTC'")
    connection.execute(f"SET VARIABLE {TENANT} = {quoted(_USER)}")
    for statement in views(of_tenant=True):
        connection.execute(statement)
    return connection
