"""Take over landed files of another store: their ledger lines and records, all of a call or none.

Belongs here: staging and running it. Does not belong here: what may be taken over
(:mod:`audience_pipeline.storage.restoring`). However many files, it is a load job for each group of records and one
query job.
"""

import json
from collections.abc import Iterable, Sequence
from uuid import uuid4

import polars as pl
import pyarrow as pa

from audience_pipeline.storage.bigquery import staging
from audience_pipeline.storage.bigquery.attempts import until_not_overtaken
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.fragments import names, staged_value
from audience_pipeline.storage.bigquery.ledger import Line
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.storage.restoring import LedgerLine
from audience_pipeline.tables import LANDED, LEDGER, Table
from audience_pipeline.tables.landed import LINES_PER_FILE


def told(line: Line) -> LedgerLine:
    """Return a line as another store is told it."""
    return LedgerLine(line.entry, line.months, line.folded)


def restore_files(warehouse: Warehouse, table: Table, lines: Sequence[LedgerLine], rows: Iterable[pa.Table]) -> None:
    """Write lines as they are, and ``rows`` of those that have no records here."""
    columns = LANDED[table.name].columns
    name = f"{staging.PREFIX}restored_landing_{uuid4().hex}"
    staging.create(warehouse, name, columns)
    try:
        for number, group in enumerate(rows):
            staged = staging.to_arrow(pl.DataFrame(pl.from_arrow(group)), columns)
            job_id = f"load_{name}_{number}"
            warehouse.load(staged, name, staging.schema_of(columns), operation="stage", job_id=job_id)
        parameters = {"source": table.name, "files": json.dumps([_plain(line) for line in lines])}
        until_not_overtaken(
            lambda attempt: warehouse.run(
                _script(table, name),
                parameters,
                object=f"table {LEDGER.name}",
                operation="copy",
                job_id=f"restore_{name}_{attempt}",
            )
        )
    finally:
        staging.drop(warehouse, name)


def _plain(line: LedgerLine) -> dict[str, object]:
    entry = line.entry
    return {
        "number": entry.number,
        "digest": entry.digest,
        "name": entry.name,
        "status": entry.status,
        "counts": dict(entry.counts),
        "months": {str(month): count for month, count in line.months.items()},
        "folded": [str(month) for month in sorted(line.folded)],
    }


def _script(table: Table, name: str) -> str:
    landed = LANDED[table.name]
    return statement(
        "restore_files",
        landed=landed.name,
        ledger=LEDGER.name,
        staging=name,
        columns=names(landed.column_names),
        values=", ".join(staged_value(column, "s", "s", whole=True) for column in landed.columns),
        lines_per_file=str(LINES_PER_FILE),
    )
