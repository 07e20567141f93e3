"""What may be wrong in the rows of one month: values, canonical form, secrets, and what the index says of them.

Belongs here: rows as they are. Does not belong here: anything between rows.
"""

from collections.abc import Callable

import polars as pl

from audience_pipeline.errors import PipelineError
from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.queries import of_month, read
from audience_pipeline.storage.bigquery.rules import phase_of
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.storage.contract import Finding
from audience_pipeline.storage.frames import prepare
from audience_pipeline.tables import KEYS, Table
from audience_pipeline.tables.canonical import application_digests

Reindex = Callable[[Warehouse, Table, int], None]


def inspect_month(warehouse: Warehouse, table: Table, month: int, *, reindex: Reindex | None) -> list[Finding]:
    """Hold the rows of a month against the declaration, and their digests against the index; ``reindex`` mends that."""
    where = f"{table.name}, month {month}"
    try:
        frame = prepared_month(warehouse, table, month)
    except PipelineError as error:
        return [Finding("declaration", where, f"{error.object}: {error.found}", error.expected, error.remedy)]
    stale = _unlike(warehouse, table, month, frame)
    if stale:  # unless a writer came between the two reads
        stale &= _unlike(warehouse, table, month, prepared_month(warehouse, table, month))
    if not stale:
        return []
    if reindex is not None:
        reindex(warehouse, table, month)
    return [
        Finding(
            "content",
            where,
            found=f"{len(stale)} rows changed by another program (first: {min(stale)})",
            expected="rows that only this package writes",
            remedy="Run `audience-pipeline verify --repair` to take them as they are, or restore the table.",
            repaired=reindex is not None,
        )
    ]


def _unlike(warehouse: Warehouse, table: Table, month: int, frame: pl.DataFrame) -> set[str]:
    """Return the keys whose rows have another content than the index says."""
    digests = application_digests(table, frame.select(table.column_names).to_arrow())
    known = _known(warehouse, table, month)
    found = zip(frame[table.key], (digest.hex() for digest in digests), strict=True)
    return {key for key, digest in found if known.get(key, digest) != digest}


def prepared_month(warehouse: Warehouse, table: Table, month: int) -> pl.DataFrame:
    """Return the rows of a month in canonical form, with what an upsert is prepared with.

    Raises:
        PipelineError: the rows break the declaration.
    """
    return prepare(table, read(warehouse, table, of_month(table, month)), None)


def _known(warehouse: Warehouse, table: Table, month: int) -> dict[str, str | None]:
    """Return the digests the index has of a month's rows."""
    index = KEYS[index_of(table).name].name
    text = statement("index_digests", index=index, phase=phase_of(table))
    found = warehouse.run(text, {"month": month}, object=f"table {index}", operation="verify").arrow()
    return {row["key"]: row["digest"] for row in found.to_pylist() if row["digest"] is not None}
