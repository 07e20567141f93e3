"""What users' own assets return becomes a derived table, and is read back.

Belongs here: cutting a frame into the months of its slice. Does not belong here: files.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from audience_pipeline.errors import RefusedError
from audience_pipeline.io_managers.slices import Slice
from audience_pipeline.partitions import months_between
from audience_pipeline.storage.parquet.derived import DerivedTable

DEFAULT_MONTH_COLUMN = "created_at"


def write(root: Path, slice_: Slice, rows: pa.Table, month_column: str | None) -> int:
    """Replace the slice by ``rows``; return the bytes written.

    ``month_column`` names the timestamp or date that decides a row's month (``created_at`` unless the asset's metadata
    has ``partition_expr``). A slice of one month needs none: all rows are that month's.

    Raises:
        RefusedError: a row lies outside the months of the slice, or months cannot be told apart.
    """
    return DerivedTable(root, slice_.path).replace(_cut(slice_, rows, month_column))


def read(root: Path, slice_: Slice) -> pa.Table:
    """Return the rows of the slice."""
    return DerivedTable(root, slice_.path).read(slice_.months or (0, 0), slice_.columns)


def _cut(slice_: Slice, rows: pa.Table, month_column: str | None) -> dict[int, pa.Table]:
    if slice_.months is None:
        return {0: rows}
    column = month_column or DEFAULT_MONTH_COLUMN
    months = months_between(*slice_.months)
    if column not in rows.column_names:
        if len(months) == 1 and month_column is None:
            return {months[0]: rows}
        raise _refused(slice_, f"no column {column}", "a timestamp or date that decides each row's month")
    month = _month_of(slice_, column, rows)
    if outside := sorted({found for found in month.to_pylist() if found not in months}, key=str):
        raise _refused(slice_, f"{column} in {outside[0]}", f"months from {months[0]} to {months[-1]}")
    return {each: rows.filter(pc.equal(month, each)) for each in months}


def _month_of(slice_: Slice, column: str, rows: pa.Table) -> pa.ChunkedArray:
    values = rows.column(column)
    if not pa.types.is_temporal(values.type) and not pa.types.is_null(values.type):
        raise _refused(slice_, f"{column} of type {values.type}", "a timestamp or a date")
    utc = values.cast(pa.timestamp("ms"), safe=False)
    return pc.add(pc.multiply(pc.year(utc), 100), pc.month(utc))


def _refused(slice_: Slice, found: str, expected: str) -> RefusedError:
    remedy = "Filter the rows in the asset, or name another column: metadata={'partition_expr': ...}."
    return RefusedError(f"asset {slice_.asset}", found=found, expected=expected, remedy=remedy)
