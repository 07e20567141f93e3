"""Rows that an upsert refused though they had landed: put into quarantine as records again.

Belongs here: the way back from a row to its record. Does not belong here: why they are refused (the store), or the
quarantine itself (:mod:`.quarantine`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from audience_pipeline.ingest.chunks import RefusedLine
from audience_pipeline.ingest.moments import iso
from audience_pipeline.ingest.quarantine import Quarantine
from audience_pipeline.settings import Settings
from audience_pipeline.storage.contract import Refusal
from audience_pipeline.tables import LogicalType, Table

if TYPE_CHECKING:
    import pyarrow as pa


def quarantine_refusals(
    settings: Settings, table: Table, rows: "pa.Table", refusals: Sequence[Refusal], now: datetime
) -> None:
    """Keep rows that an upsert refused, written as records again; ``rows`` is the frame the refusals count in."""
    refused = []
    for refusal in refusals:
        record = record_of(table, rows.slice(refusal.row, 1).to_pylist()[0])
        digest = hashlib.sha256(record).hexdigest()
        refused.append(RefusedLine(0, 0, len(record), digest, (refusal.problem,), record))
    Quarantine(settings.quarantine_dir).put(table.name, f"landed_{table.name}", refused, now)


def record_of(table: Table, row: Mapping[str, Any]) -> bytes:
    """Return a row as the record it would land as: nested JSON, times with Z, absent members left out."""
    record: dict[str, Any] = {}
    for column in table.columns:
        value = row[column.name]
        if value is None:
            continue
        match column.type:
            case LogicalType.JSON:
                record[column.name] = msgspec.Raw(value.encode())
            case LogicalType.TIMESTAMP:
                record[column.name] = iso(value.replace(tzinfo=UTC))
            case _:
                record[column.name] = value
    return msgspec.json.encode(record)
