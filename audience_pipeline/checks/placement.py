"""Whether rows are kept where they belong, which is another question on each backend.

Belongs here: that question. Does not belong here: what the index says of a row's place (:mod:`.rows`).
"""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from audience_pipeline.checks.context import Subject
from audience_pipeline.checks.outcome import Outcome, counted
from audience_pipeline.storage.parquet.placement import misplaced

if TYPE_CHECKING:
    from audience_pipeline.storage.bigquery.drift import Difference
    from audience_pipeline.storage.bigquery.store import BigQueryStore
    from audience_pipeline.storage.parquet.store import ParquetStore


def placement(subject: Subject) -> Outcome:
    """Every row is in the file of its own user and month; in BigQuery, in a table partitioned as declared."""
    return _in_dataset(subject) if subject.settings.backend == "bigquery" else _in_files(subject)


def _in_files(subject: Subject) -> Outcome:
    files = cast("ParquetStore", subject.store).files(subject.table, months=subject.months)
    wrong = misplaced(subject.table, subject.settings.data_dir.absolute(), files).to_dicts()
    return counted("are in a file of another user or month", len(subject.rows), len(wrong), wrong)


def _in_dataset(subject: Subject) -> Outcome:
    """Look at the table as a whole: BigQuery itself puts each row into the partition of its day."""
    wrong = [{"found": f"{found.what} by {found.found}", "expected": found.expected} for found in _differences(subject)]
    rows = len(subject.rows)
    outcome = counted("are in a table not partitioned and clustered as declared", rows, rows if wrong else 0, wrong)
    return replace(outcome, passed=not wrong)


def _differences(subject: Subject) -> "list[Difference]":
    from audience_pipeline.storage.bigquery.drift import differences  # noqa: PLC0415 - the other backend's

    warehouse = cast("BigQueryStore", subject.store).warehouse
    name = warehouse.name(subject.table.name)
    with warehouse.errors(f"table {name}"):
        stored = warehouse.client.get_table(name, retry=warehouse.retry)
    return [found for found in differences(subject.table, stored) if found.what in {"partitioning", "clustering"}]
