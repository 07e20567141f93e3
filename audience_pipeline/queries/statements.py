"""Any read-only statement over the catalog, for the operator who may see all users' rows.

Belongs here: running one statement that cannot write, cannot load code and cannot read a file outside the data
directory. Does not belong here: isolation of users from each other; every row of every user is in reach.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from audience_pipeline.errors import StorageError, UsageError
from audience_pipeline.queries.catalog import usable_catalog, without_wildcards
from audience_pipeline.queries.results import answer_to
from audience_pipeline.storage.parquet.calm import undisturbed
from audience_pipeline.storage.parquet.opening import require_directory
from audience_pipeline.tables.duckdb import quoted

if TYPE_CHECKING:
    import pyarrow as pa

# Nothing a comment or a quoted text could hide in, so that what remains is what DuckDB takes for the statement.
_EXPLAIN = re.compile(r"\s*EXPLAIN\b(\s*ANALYZE\b)?(\s*\([\w\s,]*\))?", re.IGNORECASE)


def read(data_dir: Path, statement: str) -> "tuple[pa.Table, frozenset[str]]":
    """Run one read-only statement.

    Returns:
        The rows, and the names of the columns that hold JSON. Of columns with one name, as a join gives, the later ones
        are numbered: ``name``, ``name_1``. Columns of types that Arrow does not have are DuckDB's text of them.

    Raises:
        UsageError: the statement is not one, not read-only, or DuckDB refuses it; or there is no data directory.
        ConflictError: files were replaced again and again while they were read.
        StorageError: a file could not be read, or the catalog not written.
    """
    require_directory(data_dir)
    with usable_catalog(data_dir) as catalog, duckdb.connect(catalog, read_only=True) as connection:
        _confine(connection, data_dir)
        try:
            text = _only_read(connection, statement)
            return undisturbed(data_dir, lambda: answer_to(connection, text))
        except duckdb.Error as error:
            raise _explained(error, data_dir) from error


def _confine(connection: duckdb.DuckDBPyConnection, data_dir: Path) -> None:
    """Leave a connection the data directory and nothing else, for good."""
    path = str(data_dir.absolute())
    # A view names its files by a pattern, and DuckDB compares the pattern with what is allowed.
    allowed = ", ".join(quoted(directory) for directory in sorted({path, without_wildcards(path)}))
    connection.execute(
        f"SET TimeZone = 'UTC'; SET allowed_directories = [{allowed}]; SET enable_external_access = false;"
        " SET autoload_known_extensions = false; SET lock_configuration = true"
    )


def _only_read(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    """Return the one statement in a text if it reads and does nothing else."""
    statements = connection.extract_statements(text)
    kinds = [statement.type for statement in statements]
    if kinds == [duckdb.StatementType.EXPLAIN]:
        # EXPLAIN ANALYZE runs what it explains.
        prefix = _EXPLAIN.match(text)
        explained = text[prefix.end() :] if prefix else text
        kinds = [statement.type for statement in connection.extract_statements(explained)]
    if kinds != [duckdb.StatementType.SELECT]:
        found = " and ".join(kind.name for kind in kinds) or "no statement"
        expected = "one SELECT, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN of a SELECT"
        raise _refusal(found, expected, "Nothing was run; records change through landing only.")
    return str(statements[0].query)


def _explained(error: duckdb.Error, data_dir: Path) -> StorageError | UsageError:
    """Tell a file that cannot be read from a statement that is wrong."""
    found = str(error).strip()
    if isinstance(error, duckdb.IOException | duckdb.InvalidInputException) and ".parquet'" in found:
        remedy = "Run `audience-pipeline verify` to see which files are damaged."
        return StorageError(data_dir, found=found, expected="readable files", remedy=remedy)
    return _refusal(found, "a statement DuckDB can run", "Correct the statement; `SHOW TABLES` lists the views.")


def _refusal(found: str, expected: str, remedy: str) -> UsageError:
    where = "statement"
    return UsageError(where, found=found, expected=expected, remedy=remedy)
