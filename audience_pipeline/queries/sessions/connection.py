"""The sealed connection: views of one tenant's files, and no way to anything else.

Belongs here: what DuckDB is told before a tenant's statement. Does not belong here: which statements are run.

The views are those of the catalog, reading the files of one user; each is made when a statement first names it. Where
the files lie is kept in variables, so it is in no view's text. Nothing outside the tenant's own directories can be
opened, nothing is spilled to disk, no code is loaded, no variable of the calling program is taken for a table, and the
settings are locked.
"""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import duckdb

from audience_pipeline.queries.catalog import without_wildcards
from audience_pipeline.tables import STORED, TABLES
from audience_pipeline.tables.duckdb import TENANT, VARIABLE, quoted, views
from audience_pipeline.tables.tenant import encode_user_id

_NOWHERE = ".none"
_NAMED = re.compile(r"CREATE VIEW (\w+) AS\b")


class SealedConnection:
    """A DuckDB instance of its own that reads one tenant's rows."""

    def __init__(self, data_dir: Path, user_id: str, memory: str) -> None:
        """Open it.

        Args:
            data_dir: absolute.
            user_id: a legal one.
            memory: as DuckDB writes an amount, such as ``1GiB``.
        """
        root = without_wildcards(str(data_dir))
        directories = [str(directory_of(data_dir, table.name, user_id)) for table in STORED]
        allowed = sorted({*directories, *map(without_wildcards, directories)})
        self.duckdb = duckdb.connect()
        self._tenant = encode_user_id(user_id)
        self._made: set[str] = set()
        self.duckdb.execute(
            f"SET VARIABLE {VARIABLE} = {quoted(root)}; SET VARIABLE {TENANT} = {quoted(self._tenant)};"
            " SET TimeZone = 'UTC';"
            f" SET memory_limit = {quoted(memory)}; SET temp_directory = ''; SET python_enable_replacements = false;"
            f" SET autoload_known_extensions = false; SET allowed_directories = [{', '.join(map(quoted, allowed))}];"
            " SET enable_external_access = false; SET lock_configuration = true"
        )

    def provide(self, names: Iterable[str]) -> None:
        """Make views, and those they read, unless they are there."""
        wanted = {each for name in names for each in _needed(name)} - self._made
        if not wanted:
            return
        # A view is tried out when it is made; where there are no files this takes no time and meets no damaged one.
        self._read_files_of(f"{self._tenant}/{_NOWHERE}")
        for name, statement in _statements().items():
            if name in wanted:
                self.duckdb.execute(statement)
        self._read_files_of(self._tenant)
        self._made |= wanted

    def _read_files_of(self, place: str) -> None:
        self.duckdb.execute(f"SET VARIABLE {TENANT} = {quoted(place)}")


def directory_of(data_dir: Path, table: str, user_id: str) -> Path:
    """Return the directory that holds a tenant's rows of a table, whether it is there or not."""
    return data_dir / table / f"user_id={encode_user_id(user_id)}"


def tables_of(names: Iterable[str]) -> frozenset[str]:
    """Return the stored tables that views read."""
    return frozenset(each for name in names for each in _needed(name) if each in TABLES)


@cache
def view_names() -> frozenset[str]:
    """Return the names of the views there are."""
    return frozenset(_statements())


@cache
def _statements() -> dict[str, str]:
    """Return what makes each view, those before it that others read."""
    found = ((_NAMED.match(statement), statement) for statement in views(of_tenant=True))
    return {match[1]: statement for match, statement in found if match}


@cache
def _needed(name: str) -> frozenset[str]:
    """Return a view's name, and those of the views it reads."""
    named = (set(re.findall(r"\w+", _statements()[name])) & view_names()) - {name}
    return frozenset({name}).union(*map(_needed, named))
