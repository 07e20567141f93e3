"""Sealed texts replaced in a table of BigQuery, live or landed, in one statement a portion.

Belongs here: the write. Does not belong here: what may replace what (:mod:`audience_pipeline.storage.resealing`).
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from uuid import uuid4

import msgspec

from audience_pipeline.storage.bigquery.attempts import until_not_overtaken
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.fragments import json_value
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.storage.contract import Resealed
from audience_pipeline.storage.resealing import secret_column
from audience_pipeline.tables import POSITION, Table

_ROWS_AT_ONCE = 1000
"""A request may not grow beyond 10 MB, and each text is escaped twice on its way."""


def reseal(warehouse: Warehouse, table: Table, rows: Sequence[Resealed]) -> int:
    """Replace texts; see the contract."""
    text = statement(
        "reseal",
        table=table.name,
        column=secret_column(table).name,
        place=POSITION if POSITION in table.by_name else table.key,
        old=json_value("JSON_VALUE(c, '$.old')"),
        new=json_value("JSON_VALUE(c, '$.new')"),
    )
    return sum(_run(warehouse, table, text, portion) for portion in _portions(rows))


def _run(warehouse: Warehouse, table: Table, text: str, rows: str) -> int:
    job = f"reseal_{uuid4().hex}"
    done = until_not_overtaken(
        lambda attempt: warehouse.run(
            text, {"rows": rows}, object=f"table {table.name}", operation="reseal", job_id=f"{job}_{attempt}"
        )
    )
    return done.affected


def _portions(rows: Sequence[Resealed]) -> Iterator[str]:
    each = iter(rows)
    while portion := list(islice(each, _ROWS_AT_ONCE)):
        plain = [{"place": str(row.place), "user_id": row.user_id, "old": row.old, "new": row.new} for row in portion]
        yield msgspec.json.encode(plain).decode()
