"""Answers from the files of a Parquet store, by DuckDB.

Belongs here: choosing the files and running a pattern's SQL over exactly these. Does not belong here: the questions
(:mod:`.patterns`), or anything an analyst runs without this package (:mod:`.catalog`). File names and values reach
DuckDB as bound parameters only; the text of a statement is made of SQL files and declared names.

No directory is listed: the store's index names a user's files, those of the months asked for, and the one file of a
key, so an answer costs the same in a store of any size.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, runtime_checkable

import duckdb
import pyarrow as pa

from audience_pipeline.queries.patterns import AccessPattern, pattern_named
from audience_pipeline.storage.contract import Placement
from audience_pipeline.storage.parquet.duck import rows_of
from audience_pipeline.storage.parquet.steady import damage_told, steady
from audience_pipeline.tables import Table
from audience_pipeline.tables.arrow import arrow_schema

_LAST_MONTH = 999_999


@runtime_checkable
class FileStore(Protocol):
    """What an answer needs of a store that keeps its rows in Parquet files."""

    def files(self, table: Table, *, user_id: str | None, months: tuple[int, int] | None) -> list[str]:
        """Return the absolute paths of a user's files in an inclusive range of months, newest first."""

    def placements(self, table: Table, keys: Sequence[str]) -> dict[str, Placement]:
        """Return where the known ones of ``keys`` live."""

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return the calling thread's DuckDB cursor, in UTC."""


@dataclass(frozen=True, slots=True)
class FileReader:
    """Answers from one store; see :class:`.answers.Reader`."""

    store: FileStore

    def rows(self, pattern: AccessPattern, arguments: Mapping[str, Any], archive: Table | None) -> pa.Table:
        """Return the rows a pattern finds in its table, or also in an archive of it."""
        files = self._files(pattern.table, arguments)
        archived = self._files(archive, arguments) if archive else []
        schema = _schema(pattern.name)
        if not files and not archived:
            return schema.empty_table()
        bound = {**arguments, "files": files, **({"archived": archived} if archived else {})}
        statement = _statement(pattern.name, with_archive=bool(archived))
        with damage_told(pattern.table):
            found = steady([*files, *archived], lambda: rows_of(self.store.cursor(), statement, bound))
        return found.cast(schema)

    def count(self, pattern: AccessPattern, arguments: Mapping[str, Any], archive: Table) -> int:
        """Return how many more rows a pattern finds with the archive; a row on its way there is in both tables."""
        found = [self.rows(pattern, arguments, each).num_rows for each in (archive, None)]
        return int(found[0] - found[1])

    def _files(self, table: Table, arguments: Mapping[str, Any]) -> list[str]:
        """Return the files that can hold an answer: of one user since one month, or of one key."""
        if "user_id" in arguments:
            since = arguments.get("since")
            months = (since.year * 100 + since.month, _LAST_MONTH) if since else None
            return self.store.files(table, user_id=arguments["user_id"], months=months)
        places = self.store.placements(table, [arguments[table.key]]).values()
        return _flat(
            self.store.files(table, user_id=place.user_id, months=(place.month, place.month)) for place in places
        )


def _flat(lists: Iterable[list[str]]) -> list[str]:
    return [path for paths in lists for path in paths]


@cache
def _schema(name: str) -> pa.Schema:
    """Return the schema of a pattern's answers."""
    pattern = pattern_named(name)
    return pa.schema([arrow_schema(pattern.table).field(column) for column in pattern.columns])


@cache
def _statement(name: str, *, with_archive: bool) -> duckdb.Statement:
    """Return a pattern's SQL, parsed, over a relation of the table's name that reads `$files` (and `$archived`)."""
    pattern = pattern_named(name)
    columns = ", ".join(pattern.columns)
    relation = (_LIVE_AND_ARCHIVED if with_archive else _LIVE).format(columns=columns, key=pattern.table.key)
    text = f"WITH {pattern.table.name} AS ({relation})\n{pattern.sql('duckdb')}"
    (statement,) = duckdb.extract_statements(text)
    return statement


_LIVE = "SELECT {columns} FROM read_parquet($files, hive_partitioning = false)"
# A row on its way to the archive is in both files; the live one counts.
_LIVE_AND_ARCHIVED = """
SELECT DISTINCT ON ({key}) {columns} FROM (
  SELECT *, FALSE AS is_archived FROM read_parquet($files, hive_partitioning = false, allow_empty = true)
  UNION ALL BY NAME
  SELECT *, TRUE AS is_archived FROM read_parquet($archived, hive_partitioning = false, allow_empty = true)
) ORDER BY {key}, is_archived"""
