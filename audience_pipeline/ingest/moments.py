"""Times as records write them.

Belongs here: which texts are times, and which instant they mean. Does not belong here: which instants are allowed.
"""

import re
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_EXTENDED_LENGTH = len("2025-05-31T12:00")
_ISO_8601 = re.compile(
    r"\d{4}-?\d\d-?\d\d([T ]\d\d(:?\d\d(:?\d\d([.,]\d+)?)?)?\s?(Z|[+-]\d\d(:?\d\d)?)?)?", re.IGNORECASE | re.ASCII
)


def parse_time(text: str) -> datetime | None:
    """Return the instant ``text`` means, to the millisecond (cut, not rounded), or None if it is no ISO 8601 time.

    A time without an offset is UTC, a date alone its midnight.
    """
    if not (len(text) > _EXTENDED_LENGTH and text[10] == "T") and not _ISO_8601.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper())
        if moment.tzinfo is not UTC:
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    below = moment.microsecond % 1000
    return moment.replace(microsecond=moment.microsecond - below) if below else moment


def millis(moment: datetime) -> int:
    """Return milliseconds since 1970 of a moment with an offset."""
    return (moment - EPOCH) // _MILLISECOND


def month_of(moment: datetime) -> int:
    """Return the UTC month of a moment as ``yyyymm``."""
    return moment.year * 100 + moment.month


def iso(moment: datetime) -> str:
    """Return a UTC moment as ISO 8601 text with Z."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
