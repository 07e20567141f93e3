"""The access patterns in BigQuery's dialect, from the text in DuckDB's.

Belongs here: deriving `sql/queries/bigquery/` from `sql/queries/duckdb/`. Does not belong here: running either.

The patterns are written in SQL that both read alike, but for the sign of a parameter, which neither takes from the
other. Two files a pattern, of which one is derived, leave analysts a text to copy whatever they use, and the package a
single one to be right about.
"""

import re

from audience_pipeline.queries.patterns import AccessPattern

_PARAMETER = re.compile(r"\$(\w+)")


def bigquery_sql(pattern: AccessPattern) -> str:
    """Return a pattern's file for BigQuery: the same comment and statement, with ``@`` before each parameter."""
    doc, statement = pattern.sql("duckdb").split("\n", maxsplit=1)
    derived = f"-- Derived from {pattern.path('duckdb').name} in ../duckdb/ by make derive."
    return "\n".join([doc, derived, _PARAMETER.sub(r"@\1", statement)])
