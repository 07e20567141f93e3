"""What a materialization reports: how large the slice is, and what became of the rows.

Belongs here: metadata, under the names the UI knows and plain ones for the rest; numbers as numbers, since those plot.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

import dagster as dg

from audience_pipeline.io_managers.slices import Slice
from audience_pipeline.partitions import month_key
from audience_pipeline.storage.contract import Refusal, UpsertResult

SHOWN = 20
"""Rows of a table shown in the UI."""

Metadata: TypeAlias = dict[str, Any]


def slice_metadata(slice_: Slice, *, rows: int) -> Metadata:
    """Return how many rows a slice has.

    Dagster repeats it for each month of a range, so a range says which months it counts together.
    """
    extent: Metadata = {"dagster/row_count": rows}
    if slice_.months is not None:
        first, last = map(month_key, slice_.months)
        together = {"counted together": f"{first} to {last}", "rows": rows}
        extent = {"dagster/partition_row_count": rows} if first == last else together
    return extent


def size_metadata(bytes: int) -> Metadata:
    """Return how many bytes a slice has."""
    return {"dagster/size_bytes": bytes}


def upsert_metadata(result: UpsertResult) -> Metadata:
    """Return what became of the rows, in whole numbers."""
    return {
        "inserted": result.inserted,
        "updated": result.updated,
        "unchanged": result.unchanged,
        "stale": result.stale,
        "refused": len(result.refused),
    }


def refusal_metadata(refused: Sequence[Refusal]) -> Metadata:
    """Return the first refusals with their reasons."""
    records = [{"key": refusal.key, **asdict(refusal.problem)} for refusal in refused[:SHOWN]]
    return {"refused rows": dg.MetadataValue.table([dg.TableRecord(record) for record in records])}
