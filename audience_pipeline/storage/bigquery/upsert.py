"""Upsert: one load job and one query job, whatever the number of rows and months.

Belongs here: running them, and saying what became of the rows. Does not belong here: the statements, or the rules.

The query job's id is derived from the staging table's, so a call that is repeated because its answer was lost finds the
job it started. A client that dies before the query job has changed nothing; one that dies after has changed all.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from audience_pipeline.errors import CorruptionError
from audience_pipeline.storage.bigquery.attempts import until_not_overtaken
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.queries import bounds
from audience_pipeline.storage.bigquery.rules import judge_query, upsert_script
from audience_pipeline.storage.bigquery.staging import staged
from audience_pipeline.storage.contract import Refusal, UpsertResult, Verdict
from audience_pipeline.storage.months import MONTH, month_of
from audience_pipeline.storage.refusals import (
    archived_problem,
    closed_problem,
    first_status_problem,
    immutable_problem,
    other_month_problem,
)
from audience_pipeline.storage.rules import ROW
from audience_pipeline.tables import LogicalType, Problem, Table

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - stored times are UTC without a zone
Row = Mapping[str, Any]


def upsert(warehouse: Warehouse, table: Table, frame: pl.DataFrame, now: datetime) -> UpsertResult:
    """Upsert a prepared frame: the table's columns, ``_row``, ``landed_position`` (null: not landed), ``_month``."""
    if frame.is_empty():
        return UpsertResult()
    with staged(warehouse, table, frame) as staging:
        parameters = bounds(table, _span(frame)) | {"accepted_month": month_of(now)}
        found = until_not_overtaken(
            lambda attempt: warehouse.run(
                upsert_script(table, staging),
                parameters,
                object=f"table {table.name}",
                operation="upsert",
                job_id=f"upsert_{staging}_{attempt}",
            ).arrow()
        )
    return _result(table, frame, found.to_pylist())


def judge(warehouse: Warehouse, table: Table, frame: pl.DataFrame) -> list[tuple[Verdict, Problem | None]]:
    """Say what an upsert of a prepared frame would do with each row, in the order of ``_row``; writes nothing."""
    if frame.is_empty():
        return []
    with staged(warehouse, table, frame) as staging:
        found = warehouse.run(
            judge_query(table, staging), bounds(table, _span(frame)), object=f"table {table.name}", operation="judge"
        ).arrow()
    rows = found.to_pylist()
    problems = _problems(table, frame, rows)
    return [(Verdict(row["verdict"]), problems.get(row["row_id"])) for row in rows]


def _span(frame: pl.DataFrame) -> tuple[int, int]:
    """Return the first and the last month of the rows."""
    first, last = frame.select(pl.col(MONTH).min().alias("first"), pl.col(MONTH).max().alias("last")).row(0)
    return first, last


def _result(table: Table, frame: pl.DataFrame, rows: list[dict[str, Any]]) -> UpsertResult:
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row["verdict"]] += row["n"]
    problems = _problems(table, frame, rows)
    keys = dict(frame.select(ROW, table.key).iter_rows())
    return UpsertResult(
        inserted=counts[Verdict.INSERTED],
        updated=counts[Verdict.UPDATED],
        unchanged=counts[Verdict.UNCHANGED],
        stale=counts[Verdict.STALE],
        refused=tuple(Refusal(row, keys[row], problems[row]) for row in sorted(problems)),
        months=frozenset(row["month"] for row in rows if row["month"] is not None),
    )


def _problems(table: Table, frame: pl.DataFrame, rows: Iterable[Row]) -> dict[int, Problem]:
    """Return the reason of each refused row."""
    refused = {row["row_id"]: row for row in rows if row["fault"] is not None}
    if not refused:
        return {}
    found = frame.filter(pl.col(ROW).is_in(list(refused))).iter_rows(named=True)
    return {each[ROW]: _problem(table, each, refused[each[ROW]]) for each in found}


def _problem(table: Table, found: Row, verdict: Row) -> Problem:
    fault, stored = verdict["fault"], verdict["stored"]
    match fault:
        case "month":
            return other_month_problem(table, found[MONTH], int(stored))
        case "archived":
            return archived_problem(table, found[table.key])
        case "first_status":
            return first_status_problem(table, found["status"])
        case "closed":
            return closed_problem(str(table.open_status), found["status"], stored)
        case "unindexed":
            raise _unindexed(table, found[table.key])
    if table.by_name[fault].type is LogicalType.TIMESTAMP:
        stored = _EPOCH + timedelta(milliseconds=int(stored))
    return immutable_problem(table, fault, found[fault], stored)


def _unindexed(table: Table, key: str) -> CorruptionError:
    return CorruptionError(
        f"{table.name} {key}",
        found="a row whose key is not in the index",
        expected="an index that agrees with the rows; other programs must not write them. Nothing was written",
        remedy="Run `audience-pipeline verify --repair`.",
    )
