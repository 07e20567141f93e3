"""Calendar periods: days, weeks that begin on Monday, months; all in UTC, so that no clock change moves one.

Belongs here: which period a moment is in. Does not belong here: what is done once a period.
"""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple, TypeAlias

Frequency: TypeAlias = Literal["daily", "weekly", "monthly"]


class Period(NamedTuple):
    """A period: its name, which tells it from all others, and its first moment."""

    name: str
    start: datetime


def period_of(moment: datetime, frequency: Frequency) -> Period:
    """Return the period that a moment, in UTC, is in."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    match frequency:
        case "daily":
            return Period(f"{day:%Y-%m-%d}", day)
        case "weekly":
            monday = day - timedelta(days=day.weekday())
            year, week, _ = monday.isocalendar()
            return Period(f"{year:04d}-W{week:02d}", monday)
        case "monthly":
            return Period(f"{day:%Y-%m}", day.replace(day=1))
