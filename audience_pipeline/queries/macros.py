"""The access patterns as DuckDB table macros, and the whole text of the analysts' catalog.

Belongs here: deriving `sql/duckdb/catalog.sql`. Does not belong here: running it (:mod:`.catalog`).

A macro opens the files of one user only: their directory is part of the pattern of paths, so other users' files are
not even listed. Its reader is written out, since a macro that calls another is not found where the catalog is attached
under a name. `audience_detail` knows no user, so it looks through all of them unless it is told the owner.
"""

import re

from audience_pipeline.queries.patterns import PATTERNS, AccessPattern
from audience_pipeline.tables.duckdb import DATA, commented, paths, reader, views

ARGUMENTS = {"user_id": "for_user", "audience_id": "for_audience", "since": "since", "limit": "max_rows"}
"""What a macro calls a pattern's parameter: not like a column, which it would hide, and not like a keyword."""

_HEAD = f"""\
-- The analysts' catalog: views over the live tables, and the access patterns as table macros.
-- Derived from the declarations by `make derive`; `audience-pipeline migrate` runs it with {DATA} replaced by the
-- data directory. An example session stands in docs/analysts.md.
"""


def catalog_sql() -> str:
    """Return the statements that make the catalog, with the data directory as a placeholder."""
    macros = [statement for pattern in PATTERNS.values() for statement in _macro(pattern)]
    return "\n".join([_HEAD, *(f"{statement}\n" for statement in (*views(), *macros))])


def _macro(pattern: AccessPattern) -> list[str]:
    name = pattern.name.replace("-", "_")
    text = re.sub(r"\$(\w+)", lambda match: ARGUMENTS[match[1]], pattern.sql("duckdb").strip())
    relation = reader(pattern.table, _path(pattern))
    statement = (
        f"CREATE MACRO {name}({', '.join(_arguments(pattern))}) AS TABLE\n"
        f"WITH {pattern.table.name} AS (\n{relation}\n)\n{text};"
    )
    return [statement, commented("MACRO TABLE", name, pattern.doc)]


def _arguments(pattern: AccessPattern) -> list[str]:
    needed = [ARGUMENTS[name] for name in pattern.needs]
    optional = [f"{ARGUMENTS[name]} := {value}" for name, value in pattern.defaults.items()]
    owner = [] if "user_id" in pattern.needs else ["owner := NULL"]
    return [*needed, *optional, *owner]


def _path(pattern: AccessPattern) -> str:
    """Return the SQL expression of the paths a macro reads."""
    user = "url_encode(for_user)" if "user_id" in pattern.needs else "coalesce(url_encode(owner), '*')"
    return paths(pattern.table, user)
