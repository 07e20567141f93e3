"""What users' own assets return, cut into the months of its slice.

Belongs here: which rows are of which month. Does not belong here: how a backend keeps them.
"""

import pyarrow as pa
import pyarrow.compute as pc

from audience_pipeline.errors import RefusedError
from audience_pipeline.io_managers.slices import Slice
from audience_pipeline.partitions import months_between

DEFAULT_MONTH_COLUMN = "created_at"


def cut(slice_: Slice, rows: pa.Table, month_column: str | None) -> tuple[dict[int, pa.Table], str | None]:
    """Return the rows of each month of the slice (of 0 where it has none), and the column that decides a row's month.

    ``month_column`` names that timestamp or date; it is ``created_at`` unless the asset says otherwise. A slice of one
    month needs none: all rows are that month's, and the column is None.

    Raises:
        RefusedError: a row lies outside the months of the slice, or months cannot be told apart.
    """
    if slice_.months is None:
        return {0: rows}, None
    column = month_column or DEFAULT_MONTH_COLUMN
    months = months_between(*slice_.months)
    if column not in rows.column_names:
        if len(months) == 1 and month_column is None:
            return {months[0]: rows}, None
        raise _refused(slice_, f"no column {column}", "a timestamp or date that decides each row's month")
    month = _month_of(slice_, column, rows)
    if outside := sorted({found for found in month.to_pylist() if found not in months}, key=str):
        raise _refused(slice_, f"{column} in {outside[0]}", f"months from {months[0]} to {months[-1]}")
    return {each: rows.filter(pc.equal(month, each)) for each in months}, column


def _month_of(slice_: Slice, column: str, rows: pa.Table) -> pa.ChunkedArray:
    values = rows.column(column)
    if not pa.types.is_temporal(values.type) and not pa.types.is_null(values.type):
        raise _refused(slice_, f"{column} of type {values.type}", "a timestamp or a date")
    utc = values.cast(pa.timestamp("ms"), safe=False)
    return pc.add(pc.multiply(pc.year(utc), 100), pc.month(utc))


def _refused(slice_: Slice, found: str, expected: str) -> RefusedError:
    remedy = "Filter the rows in the asset, or name another column: metadata={'partition_expr': ...}."
    return RefusedError(f"asset {slice_.asset}", found=found, expected=expected, remedy=remedy)
