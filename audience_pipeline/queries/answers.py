"""Answers to the access patterns from the files of a Parquet store.

Belongs here: choosing the files and running the pattern's SQL over exactly these. Does not belong here: the questions
(:mod:`.patterns`), or anything an analyst runs without this package (:mod:`.catalog`). File names and values reach
DuckDB as bound parameters only; the text of a statement is made of SQL files and declared names.

No directory is listed: the store's index names a user's files, those of the months asked for, and the one file of a
key, so an answer costs the same in a store of any size.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from audience_pipeline.errors import UsageError
from audience_pipeline.queries.patterns import AccessPattern, pattern_named
from audience_pipeline.storage.contract import Placement
from audience_pipeline.storage.parquet.duck import rows_of
from audience_pipeline.storage.parquet.steady import damage_told, steady
from audience_pipeline.tables import TABLES, Table
from audience_pipeline.tables.arrow import arrow_schema

_LAST_MONTH = 999_999
_NO_LIMIT = 2**63 - 1


class FileStore(Protocol):
    """What an answer needs of a store that keeps its rows in Parquet files."""

    def files(self, table: Table, *, user_id: str | None, months: tuple[int, int] | None) -> list[str]:
        """Return the absolute paths of a user's files in an inclusive range of months, newest first."""

    def placements(self, table: Table, keys: Sequence[str]) -> dict[str, Placement]:
        """Return where the known ones of ``keys`` live."""

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return the calling thread's DuckDB cursor, in UTC."""


def run(store: FileStore, name: str, *, include_archive: bool = False, **parameters: Any) -> pa.Table:  # noqa: ANN401 - each parameter has its own type
    """Answer one access pattern.

    Args:
        store: an open store.
        name: one of `PATTERNS`, such as "user-audiences".
        include_archive: whether archived rows are part of the answer; only where the table has an archive.
        **parameters: the pattern's; a `since` without a zone is UTC.

    Returns:
        The rows in the documented columns, types and order, without the secret columns. Nothing found is a table
        without rows.

    Raises:
        UsageError: no such pattern, or parameters it does not take.
        CorruptionError: a file could not be read.
        ConflictError: files were replaced again and again while they were read.
    """
    pattern = pattern_named(name)
    arguments = pattern.arguments(parameters)
    archived = _files(store, _archive(pattern), arguments) if include_archive else []
    return _read(store, pattern, arguments, _files(store, pattern.table, arguments), archived)


def count_archived(store: FileStore, name: str, **parameters: Any) -> int:  # noqa: ANN401 - as for run
    """Return how many archived rows a pattern would find without a limit (0 where the table has no archive)."""
    pattern = pattern_named(name)
    if pattern.table.archive is None:
        return 0
    arguments = pattern.arguments(parameters)
    unlimited = {**arguments, **({"limit": _NO_LIMIT} if "limit" in arguments else {})}
    return len(_read(store, pattern, unlimited, [], _files(store, _archive(pattern), arguments)))


def _read(
    store: FileStore, pattern: AccessPattern, arguments: Mapping[str, Any], files: list[str], archived: list[str]
) -> pa.Table:
    """Run a pattern over files of its table and of its archive."""
    schema = _schema(pattern.name)
    if not files and not archived:
        return schema.empty_table()
    bound = {**arguments, "files": files, **({"archived": archived} if archived else {})}
    statement = _statement(pattern.name, with_archive=bool(archived))
    with damage_told(pattern.table):
        found = steady([*files, *archived], lambda: rows_of(store.cursor(), statement, bound))
    return found.cast(schema)


def _archive(pattern: AccessPattern) -> Table:
    if pattern.table.archive is None:
        raise UsageError(
            pattern.name,
            found="include_archive",
            expected=f"none of it: {pattern.table.name} are not archived",
            remedy="Ask without it.",
        )
    return TABLES[pattern.table.archive]


def _files(store: FileStore, table: Table, arguments: Mapping[str, Any]) -> list[str]:
    """Return the files that can hold an answer: of one user since one month, or of one key."""
    if "user_id" in arguments:
        since = arguments.get("since")
        months = (since.year * 100 + since.month, _LAST_MONTH) if since else None
        return store.files(table, user_id=arguments["user_id"], months=months)
    places = store.placements(table, [arguments[table.key]]).values()
    return _flat(store.files(table, user_id=place.user_id, months=(place.month, place.month)) for place in places)


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
    relation = _LIVE_AND_ARCHIVED if with_archive else _LIVE
    text = f"WITH {pattern.table.name} AS ({relation.format(columns=columns, key=pattern.table.key)})\n{pattern.sql}"
    (statement,) = duckdb.extract_statements(text)
    return statement


_LIVE = "SELECT {columns} FROM read_parquet($files, hive_partitioning = false)"
# A row being moved is for an instant in both files; the live one counts.
_LIVE_AND_ARCHIVED = """
SELECT DISTINCT ON ({key}) {columns} FROM (
  SELECT *, FALSE AS is_archived FROM read_parquet($files, hive_partitioning = false, allow_empty = true)
  UNION ALL BY NAME
  SELECT *, TRUE AS is_archived FROM read_parquet($archived, hive_partitioning = false, allow_empty = true)
) ORDER BY {key}, is_archived"""
