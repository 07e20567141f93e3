"""Months: the only Dagster partitions there are, and their two spellings.

Belongs here: the partitions definition and the translation between its keys (``2025-05``) and the integers the store
speaks (``202505``). Tenants are not partitions: at 10,000 of them Dagster takes seconds to list the cells and a tick
of the automation takes seventeen, while a directory or a cluster key a tenant costs nothing.
"""

from collections.abc import Iterable, Mapping

import dagster as dg

KEY_FORMAT = "%Y-%m"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
PARTITION = "dagster/partition"


def monthly(first_month: str) -> dg.MonthlyPartitionsDefinition:
    """Return the months from ``first_month`` (``2024-01``) to the one after the current, in UTC.

    The next month is there before it begins because a sender's clock may be minutes ahead.
    """
    return dg.MonthlyPartitionsDefinition(start_date=first_month, fmt=KEY_FORMAT, end_offset=2, timezone="UTC")


def month_key(month: int) -> str:
    """Return the partition key of the month ``yyyymm``."""
    return f"{month // 100:04d}-{month % 100:02d}"


def month_number(key: str) -> int:
    """Return the month ``yyyymm`` of a partition key."""
    return int(key.replace("-", ""))


def next_month(month: int) -> int:
    """Return the month ``yyyymm`` after ``month``."""
    return month + 1 if month % 100 < 12 else month + 89  # noqa: PLR2004 - months of a year


def months_between(first: int, last: int) -> list[int]:
    """Return the months ``yyyymm`` from ``first`` to ``last``, both included."""
    months = [first]
    while months[-1] < last:
        months.append(next_month(months[-1]))
    return months


def span(months: Iterable[int]) -> tuple[int, int] | None:
    """Return the first and last of ``months`` where no month between them is left out, else None."""
    ordered = sorted(set(months))
    if not ordered or ordered != months_between(ordered[0], ordered[-1]):
        return None
    return ordered[0], ordered[-1]


def months_of_run(tags: Mapping[str, str]) -> tuple[int, int] | None:
    """Return the months a run is about, first and last; None where it is about whole tables."""
    first = tags.get(RANGE_START, tags.get(PARTITION))
    last = tags.get(RANGE_END, tags.get(PARTITION))
    return None if first is None or last is None else (month_number(first), month_number(last))
