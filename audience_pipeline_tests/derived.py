"""The committed files that are derived from declarations, and the only way to write them.

`make derive` writes them; a test renders each again and fails on a difference, so a declaration and what it derives
change in one commit. A new derived file is one more entry in `DERIVED`.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from audience_pipeline.queries import PATTERNS
from audience_pipeline.queries.dialects import bigquery_sql
from audience_pipeline.queries.macros import catalog_sql
from audience_pipeline.queries.sessions.vocabulary import BY_SUBJECT, TABLE_FUNCTIONS
from audience_pipeline.settings import Settings, variable
from audience_pipeline.tables.bigquery import KEPT, policies_file, table_file, views_file
from audience_pipeline_tests.ingest.personal_page import personal_page

ROOT = Path(__file__).parent.parent


def settings_page() -> str:
    """Render the page that documents every setting: variable, default and meaning."""
    rows = [
        f"| `{variable(name)}` | {_default(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join([*_SETTINGS_HEAD, *rows, ""])


def functions_page() -> str:
    """Render the page that lists what statements of a tenant session may call."""
    parts = {**BY_SUBJECT, "functions that return rows": TABLE_FUNCTIONS}
    listed = [f"- {subject}: {' '.join(f'`{name}`' for name in sorted(names))}" for subject, names in parts.items()]
    return "\n".join([*_FUNCTIONS_HEAD, *listed, ""])


def _default(value: object) -> str:
    """Write a default the way its variable would be set."""
    if value is None or value == frozenset():
        return "unset"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


_SETTINGS_HEAD = (
    "# Settings",
    "",
    "Environment variables, read once at start. An empty variable counts as not set; a wrong value, or a variable with",
    "the prefix that is not listed here, stops the start with an error that names it. Derived from",
    "`audience_pipeline/settings.py` by `make derive`.",
    "",
    "| variable | default | meaning |",
    "|---|---|---|",
)

_FUNCTIONS_HEAD = (
    "# Functions in a tenant session",
    "",
    "What a statement of `audience-pipeline sql --user-id` or `open_session` may call, under DuckDB's names; anything",
    "else is refused. Derived from `audience_pipeline/queries/sessions/vocabulary.py` by `make derive`.",
    "",
)

DERIVED: dict[str, Callable[[], str]] = {
    "docs/personal-data.md": personal_page,
    "docs/session-functions.md": functions_page,
    "docs/settings.md": settings_page,
    "sql/bigquery/policies.sql": policies_file,
    "sql/bigquery/views.sql": views_file,
    "sql/duckdb/catalog.sql": catalog_sql,
    **{f"sql/bigquery/tables/{table.name}.sql": partial(table_file, table) for table in KEPT},
    **{f"sql/{pattern.path('bigquery')}": partial(bigquery_sql, pattern) for pattern in PATTERNS.values()},
}
"""Path from the repository's top, and what renders the file."""


def write_derived() -> None:
    """Write every derived file."""
    for name, render in DERIVED.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    write_derived()
