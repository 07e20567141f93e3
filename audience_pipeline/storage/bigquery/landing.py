"""The landing log: accepted records in the landed tables, published file by file.

Belongs here: staging, publishing and reading records. Does not belong here: judging records, or folding them.

The records of a file wait in a staging table named after its number and are published with its entry in the ledger, in
one transaction. A record's position says which file it came with, so the landed tables need no other column.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil
from typing import Any
from uuid import uuid4

import polars as pl
import pyarrow as pa

from audience_pipeline.storage.bigquery import index, staging
from audience_pipeline.storage.bigquery.attempts import until_not_overtaken
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.fragments import month_value, names, output, staged_value
from audience_pipeline.storage.bigquery.ledger import Ledger
from audience_pipeline.storage.bigquery.queries import bounds, typed
from audience_pipeline.storage.bigquery.restore_landing import restore_files, told
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.storage.ledger import LedgerEntry
from audience_pipeline.storage.restoring import LedgerLine, check_lines
from audience_pipeline.tables import LANDED, LEDGER, POSITION, Table
from audience_pipeline.tables.arrow import empty
from audience_pipeline.tables.landed import LINES_PER_FILE

GROUP_ROWS = 50_000
"""Landed records that are held at once; merging them takes a small multiple."""
_OF_FILES = f"DIV({POSITION}, {LINES_PER_FILE}) IN UNNEST(@numbers)"
_OF_MONTHS = "created_at >= @since AND created_at < @until"
_OF_BUCKET = "MOD(ABS(MOD(FARM_FINGERPRINT(user_id), @buckets)), @buckets) = @bucket"


class BigQueryLanding:
    """The landing log of one dataset."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._ledger = Ledger(warehouse)

    def open_file(self, table: Table, digest: str, name: str) -> LedgerEntry:
        """Return the entry of this content, made if it is new; see the contract."""
        return self._ledger.open_file(table, digest, name).entry

    def unfinished(self, table: Table) -> list[LedgerEntry]:
        """Return the entries still open, oldest first; see the contract."""
        return [line.entry for line in self._ledger.of_status(table, "open")]

    def unfolded(self, table: Table) -> list[LedgerEntry]:
        """Return the entries that landed and were not folded, oldest first; see the contract."""
        return [line.entry for line in self._ledger.of_status(table, "landed")]

    def stage(self, entry: LedgerEntry, rows: pa.Table) -> None:
        """Load accepted rows where no reader looks; see the contract."""
        columns = LANDED[entry.table].columns
        staging.create(self._warehouse, _staging(entry), columns)
        self._warehouse.load(
            staging.to_arrow(pl.DataFrame(pl.from_arrow(rows)), columns),
            _staging(entry),
            staging.schema_of(columns),
            operation="stage",
            job_id=f"load_{uuid4().hex}",
        )

    def finish(self, entry: LedgerEntry, counts: Mapping[str, int]) -> frozenset[int]:
        """Publish what was staged; see the contract."""
        landed = LANDED[entry.table]
        staging.create(self._warehouse, _staging(entry), landed.columns)
        months = self._staged_months(landed, entry)
        text = statement(
            "publish",
            ledger=LEDGER.name,
            landed=landed.name,
            staging=_staging(entry),
            columns=names(landed.column_names),
            values=", ".join(staged_value(column, "s", "s", whole=True) for column in landed.columns),
        )
        parameters = {
            "number": entry.number,
            "status": "landed" if months else "folded",
            "counts": json.dumps(dict(counts)),
            "months": json.dumps(months),
        }
        job = f"publish_{uuid4().hex}"
        until_not_overtaken(
            lambda attempt: self._warehouse.run(
                text, parameters, object=f"table {landed.name}", operation="land", job_id=f"{job}_{attempt}"
            )
        )
        self.abandon(entry)
        return self.months(entry)

    def _staged_months(self, landed: Table, entry: LedgerEntry) -> dict[int, int]:
        text = statement("staged_months", month=month_value(landed), staging=_staging(entry))
        found = self._warehouse.run(text, object=f"table {_staging(entry)}", operation="land").arrow()
        return {row["month"]: row["n"] for row in found.to_pylist()}

    def abandon(self, entry: LedgerEntry) -> None:
        """Drop what was staged; see the contract."""
        staging.drop(self._warehouse, _staging(entry))

    def months(self, entry: LedgerEntry) -> frozenset[int]:
        """Return the months of an entry; see the contract."""
        return frozenset(self.rows(entry))

    def rows(self, entry: LedgerEntry) -> dict[int, int]:
        """Return the records of an entry by month; see the contract."""
        return {
            month: count for line in self._ledger.of_numbers([entry.number]) for month, count in line.months.items()
        }

    def mark_folded(
        self, entries: Iterable[LedgerEntry], counts: Mapping[str, int], *, months: tuple[int, int] | None = None
    ) -> None:
        """Note that the entries' records, or those of some months, were upserted; see the contract."""
        for entry in entries:
            self._ledger.mark_folded(entry.number, counts, months)

    def waiting(self, table: Table, user_id: str) -> int:
        """Return how many accepted keys of a user have no row yet; see the contract."""
        return index.waiting(self._warehouse, table, user_id)

    def read(
        self, table: Table, *, months: tuple[int, int] | None = None, numbers: Sequence[int] | None = None
    ) -> pa.Table:
        """Return landed records in landing order; see the contract."""
        landed = LANDED[table.name]
        if numbers is not None and not numbers:
            return empty(landed)
        conditions, parameters = _selected(landed, months, numbers)
        return self._select(landed, conditions, parameters)

    def groups(self, table: Table, numbers: Sequence[int] | None = None) -> Iterator[pa.Table]:
        """Yield landed records in groups of bounded size; see the contract."""
        landed = LANDED[table.name]
        for months, count in _spans(self._rows_by_month(table, numbers)):
            conditions, parameters = _selected(landed, months, numbers)
            buckets = ceil(count / GROUP_ROWS)
            for bucket in range(buckets):
                split = {"buckets": buckets, "bucket": bucket} if buckets > 1 else {}
                yield self._select(landed, [*conditions, *([_OF_BUCKET] if split else [])], {**parameters, **split})

    def lines(self, table: Table) -> list[LedgerLine]:
        """Return all lines, oldest first; see the contract."""
        return [told(line) for line in self._ledger.of_tables([table.name])]

    def restore(self, table: Table, lines: Sequence[LedgerLine], rows: Iterable[pa.Table]) -> None:
        """Take over lines of another ledger with their records; see the contract."""
        check_lines([told(line) for line in self._ledger.of_tables(list(LANDED))], lines)
        restore_files(self._warehouse, table, lines, rows)

    def _rows_by_month(self, table: Table, numbers: Sequence[int] | None) -> dict[int, int]:
        counts: dict[int, int] = {}
        for line in self._ledger.published([table]) if numbers is None else self._ledger.of_numbers(numbers):
            for month, count in line.months.items():
                counts[month] = counts.get(month, 0) + count
        return counts

    def _select(self, landed: Table, conditions: Sequence[str], parameters: Mapping[str, Any]) -> pa.Table:
        text = statement(
            "select",
            columns=", ".join(output(column) for column in landed.columns),
            table=landed.name,
            conditions=" AND ".join(conditions) or "TRUE",
            order=f"\nORDER BY {POSITION}",
            limit="",
        )
        found = self._warehouse.run(text, parameters, object=f"table {landed.name}", operation="fold").arrow()
        return typed(landed, landed.column_names, found)


def _staging(entry: LedgerEntry) -> str:
    return f"{staging.PREFIX}landing_{entry.number}"


def _selected(
    landed: Table, months: tuple[int, int] | None, numbers: Sequence[int] | None
) -> tuple[list[str], dict[str, Any]]:
    conditions: list[str] = []
    parameters: dict[str, Any] = {}
    if months is not None and landed.by_month:
        conditions.append(_OF_MONTHS)
        parameters |= bounds(landed, months)
    if numbers is not None:
        conditions.append(_OF_FILES)
        parameters["numbers"] = list(numbers)
    return conditions, parameters


def _spans(counts: Mapping[int, int]) -> Iterator[tuple[tuple[int, int], int]]:
    """Yield runs of months, first to last, that have at most ``GROUP_ROWS`` records together, with their number."""
    run: list[int] = []
    for month in sorted(counts):
        if run and sum(counts[each] for each in [*run, month]) > GROUP_ROWS:
            yield (run[0], run[-1]), sum(counts[each] for each in run)
            run = []
        run.append(month)
    if run:
        yield (run[0], run[-1]), sum(counts[each] for each in run)
