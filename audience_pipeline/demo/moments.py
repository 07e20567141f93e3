"""When things happen in the demo: moments in the manner of a year of advertising.

Belongs here: the calendar the records' times are drawn from, and their text. All moments are UTC milliseconds since
1970 until they become text. Does not belong here: which time means what.
"""

from array import array
from bisect import bisect_right
from datetime import UTC, datetime, timedelta

SECOND_MS = 1000
HOUR_MS = 3600 * SECOND_MS
DAY_MS = 24 * HOUR_MS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTH_WEIGHTS = (0.7, 0.8, 1.0, 1.0, 1.05, 0.95, 0.75, 0.95, 1.15, 1.4, 1.6, 1.1)
_WEEKDAY_WEIGHTS = (1.0, 1.2, 1.2, 1.1, 0.9, 0.15, 0.1)


def to_ms(moment: datetime) -> int:
    """Return an aware ``moment`` as milliseconds, cut."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def to_text(ms: int) -> str:
    """Return ISO 8601 with milliseconds and Z, as ``2025-05-06T07:08:09.123Z``."""
    moment = _EPOCH + timedelta(milliseconds=ms)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def first_of_months(now: datetime, months: int) -> datetime:
    """Return where the last ``months`` calendar months begin, the one of ``now`` included."""
    ordinal = now.year * 12 + now.month - months
    return datetime(ordinal // 12, ordinal % 12 + 1, 1, tzinfo=UTC)


class Seasons:
    """The time from ``start`` to ``now``, in which some days are busier than others.

    Autumn is busiest and weekends are quiet. ``weight`` measures how much of the world's activity has passed, so a
    fraction drawn evenly becomes a moment drawn by season.
    """

    def __init__(self, start: datetime, now: datetime) -> None:
        self.start, self.now = to_ms(start), to_ms(now)
        days = max(1, -(-(self.now - self.start) // DAY_MS))
        passed = array("d", [0.0])
        for day in range(days):
            date = start + timedelta(days=day)
            passed.append(passed[-1] + _MONTH_WEIGHTS[date.month - 1] * _WEEKDAY_WEIGHTS[date.weekday()])
        self._passed = passed
        self._total = self._weight(self.now)

    def later(self, than: int, fraction: float) -> int:
        """Return the moment by which ``fraction`` (0 to 1) of what happens from ``than`` to now has happened."""
        passed = self._weight(max(than, self.start))
        moment = self._moment(passed + (self._total - passed) * fraction)
        return min(max(moment, than), self.now)

    def _weight(self, ms: int) -> float:
        day, rest = divmod(ms - self.start, DAY_MS)
        if rest == 0:
            return self._passed[day]
        return self._passed[day] + (self._passed[day + 1] - self._passed[day]) * rest / DAY_MS

    def _moment(self, weight: float) -> int:
        day = min(bisect_right(self._passed, weight), len(self._passed) - 1) - 1
        before, after = self._passed[day], self._passed[day + 1]
        return self.start + int((day + (weight - before) / (after - before)) * DAY_MS)
