"""Any read-only statement over the views in BigQuery, for whoever may see all users' rows.

Belongs here: running one statement that cannot write. Does not belong here: isolation of users from each other, which
is the row access policies'; nor what else the caller may read, which is decided by the permissions of the account.

Whether a statement reads is for the service to say: a dry run parses and types it and tells its kind, and nothing runs
unless that is SELECT. A script is of the kind SCRIPT, whatever is in it; text is never searched for words.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from audience_pipeline.errors import StorageError, UsageError
from audience_pipeline.storage.bigquery.client import Warehouse, open_warehouse
from audience_pipeline.storage.bigquery.placing import VIEWS_SUFFIX

if TYPE_CHECKING:
    import pyarrow as pa

    from audience_pipeline.settings import Settings

_OBJECT = "statement"
_OPERATION = "sql"


def read(settings: "Settings", statement: str) -> "tuple[pa.Table, frozenset[str]]":
    """Run one read-only statement, in which names without a dataset are views.

    Returns:
        The rows, and the names of the columns that hold JSON.

    Raises:
        UsageError: the statement is not one, not read-only, or BigQuery refuses it.
        StorageError: the service did not answer or does not let the caller read; or the views are not made.
    """
    views = settings.model_copy(update={"bigquery_dataset": f"{settings.bigquery_dataset}{VIEWS_SUFFIX}"})
    with open_warehouse(views) as warehouse, _told_apart():
        _refuse_all_but_select(warehouse, statement)
        result = warehouse.run(statement, object=_OBJECT, operation=_OPERATION)
        json_columns = frozenset(
            field.name for field in result.rows.schema if field.field_type == "JSON" and field.mode != "REPEATED"
        )
        return result.arrow(), json_columns


def _refuse_all_but_select(warehouse: Warehouse, statement: str) -> None:
    from google.cloud import bigquery  # noqa: PLC0415 - takes a second

    config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
    with warehouse.errors(_OBJECT):
        job = warehouse.client.query(statement, job_config=config, retry=warehouse.retry, job_retry=None)
    if job.statement_type != "SELECT":
        found = "several statements, or one that controls others" if job.statement_type == "SCRIPT" else None
        raise UsageError(
            _OBJECT,
            found=found or job.statement_type or "no statement",
            expected="one SELECT",
            remedy="Nothing was run; records change through landing only.",
        )


@contextmanager
def _told_apart() -> Iterator[None]:
    """Tell a statement that is wrong from a service that fails, or from tables that are not as declared."""
    try:
        yield
    except StorageError as error:
        if not _is_about_the_statement(error.__cause__):
            raise
        raise UsageError(
            _OBJECT,
            found=error.found,
            expected="a statement BigQuery can run",
            remedy="Correct the statement; `SELECT table_name FROM INFORMATION_SCHEMA.TABLES` lists the views.",
        ) from error


def _is_about_the_statement(cause: BaseException | None) -> bool:
    """Whether the service refused the text: it cannot be understood, names what is not there, or fails on a value."""
    reasons = {error.get("reason") for error in getattr(cause, "errors", None) or ()}
    missing = "notFound" in reasons and "not found: dataset" not in str(cause).lower()
    return missing or "invalidQuery" in reasons
