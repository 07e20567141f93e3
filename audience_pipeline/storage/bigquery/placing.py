"""Names in a dataset: those of the SQL files as an installation has them, and those of tables that assets compute.

Belongs here: what takes the place of `project` and `dataset` in a file of sql/bigquery/. Does not belong here: values,
which are query parameters and never text.

Only names in backticks that begin with `project.dataset` are replaced, and the project in the address of a service
account. What takes their place has been held against a pattern by the settings: it can't end a quoted name.
"""

import re
from collections.abc import Sequence

from audience_pipeline.settings import Settings
from audience_pipeline.sqlfiles import read_sql

VIEWS_SUFFIX = "_views"
DERIVED_PREFIX = "derived_"
"""What the names of these tables begin with, so that none is ever taken for one of ours."""
_NAME = re.compile(rf"`project\.dataset({VIEWS_SUFFIX})?(\.\w+)?`")
_ACCOUNT = re.compile(r"@project\.iam\.gserviceaccount\.com")


def placed_file(name: str, settings: Settings) -> str:
    """Return the text of a file, its path under sql/bigquery/, with the names the settings give."""
    return placed(read_sql(f"bigquery/{name}"), settings)


def placed(text: str, settings: Settings) -> str:
    """Return SQL with the names the settings give."""
    dataset = f"{settings.bigquery_project}.{settings.bigquery_dataset}"
    named = _NAME.sub(lambda match: f"`{dataset}{match[1] or ''}{match[2] or ''}`", text)
    return _ACCOUNT.sub(f"@{_account_domain(str(settings.bigquery_project))}.iam.gserviceaccount.com", named)


def _account_domain(project: str) -> str:
    """Return what a project's service accounts end in: one that belongs to a domain has it behind its name."""
    domain, _, name = project.rpartition(":")
    return f"{name}.{domain}" if domain else name


def derived_name(path: Sequence[str]) -> str:
    """Return the name of the table of an asset; Dagster itself keeps paths apart that are equal when joined so."""
    return DERIVED_PREFIX + "__".join(path)
