"""DuckDB in this process: one instance a store, a cursor a thread, and a statement's rows as Arrow.

Belongs here: how a statement is run. Does not belong here: which (:mod:`.reading`, `audience_pipeline.queries`).
"""

import re
import threading
import warnings
from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

# DuckDB advises `sql`, which copies a large result once less, and binds every statement twice: opening the files again
# takes a third of the time of a small answer, and the copy is not measurable even with 20,000 rows.
warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning, re.escape(__name__))

ROWS_AT_ONCE = 100_000


class Duck:
    """One in-memory DuckDB instance, with a cursor a thread; opened for the first, since writers need none."""

    def __init__(self) -> None:
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._opening = threading.Lock()
        self._local = threading.local()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return this thread's cursor."""
        cursor: duckdb.DuckDBPyConnection | None = getattr(self._local, "cursor", None)
        if cursor is None:
            cursor = self._local.cursor = self._opened().cursor()
        return cursor

    def close(self) -> None:
        """Close the instance."""
        if self._connection is not None:
            self._connection.close()

    def _opened(self) -> duckdb.DuckDBPyConnection:
        with self._opening:
            if self._connection is None:
                self._connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
                self._connection.execute("SET TimeZone = 'UTC'")
            return self._connection


def rows_of(
    cursor: duckdb.DuckDBPyConnection,
    statement: str | duckdb.Statement,
    values: Sequence[object] | Mapping[str, object],
) -> pa.Table:
    """Run one statement with its values bound and return all its rows, in DuckDB's own Arrow types."""
    found: pa.Table = cursor.execute(statement, values).to_arrow_table()
    return found


def reader_of(connection: duckdb.DuckDBPyConnection) -> pa.RecordBatchReader:
    """Return the rows of the statement that a connection has run, in batches."""
    return connection.to_arrow_reader(ROWS_AT_ONCE)
