"""The month a row belongs to, which both backends partition and read by.

Belongs here: months as integers ``yyyymm``, 0 for tables without months. Does not belong here: where a month is stored.
"""

from datetime import UTC, datetime

import polars as pl

from audience_pipeline.tables import Table

_MONTHS = 12
MONTH = "_month"
"""Name of the helper column that holds a row's month as ``yyyymm`` (0 without months)."""


FIRST_MONTH, LAST_MONTH = 1_01, 9999_12
"""The first and the last month that times can be of."""


def with_month(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Add the month each row belongs to."""
    if not table.by_month:
        return frame.with_columns(pl.lit(0, pl.Int32).alias(MONTH))
    created = pl.col("created_at")
    return frame.with_columns((created.dt.year() * 100 + created.dt.month()).cast(pl.Int32).alias(MONTH))


def month_of(moment: datetime) -> int:
    """Return the month of a moment as ``yyyymm``."""
    return moment.year * 100 + moment.month


def month_text(month: int) -> str:
    """Return a month as people write it, such as 2025-05."""
    return f"{month // 100:04d}-{month % 100:02d}"


def month_bounds(first: int, last: int) -> tuple[datetime, datetime]:
    """Return the first instant of month ``first`` and the first one after month ``last``, in UTC.

    After the last month there is none, and its last microsecond, which no stored time has, takes its place.
    """
    if last == LAST_MONTH:
        return _start(first), datetime.max.replace(tzinfo=UTC)
    return _start(first), _start(last + 1 if last % 100 < _MONTHS else last + 100 - _MONTHS + 1)


def _start(month: int) -> datetime:
    return datetime(month // 100, month % 100, 1, tzinfo=UTC)
