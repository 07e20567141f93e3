"""The rules on one record's values that types cannot say.

Belongs here: formats, times and their order, the user id, and the table's own check. Does not belong here: JSON types
(:mod:`.wire`, :mod:`.walking`), or anything that needs the store (:mod:`.admission`).

``values`` maps columns to well-typed values: JSON columns as structs, times as text at first and as datetimes after
:meth:`Rules.refine`. A column that is missing or ill-typed is None, so that the rules still judge the others.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, get_args

import msgspec

from audience_pipeline.ingest import reasons
from audience_pipeline.ingest.moments import iso, month_of, parse_time
from audience_pipeline.settings import PersonalKind
from audience_pipeline.tables import Column, Format, LogicalType, Problem, Table
from audience_pipeline.tables.shapes import Segment
from audience_pipeline.tables.tenant import MAX_ENCODED_BYTES, user_id_problem

CLOCK_TOLERANCE = timedelta(minutes=5)
HORIZON = timedelta(days=731)
_PLANNED = frozenset({"scheduled_at"})
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", re.ASCII)
_legal = lru_cache(maxsize=65_536)(user_id_problem)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the rules depend on besides the record: the time, and settings."""

    now: datetime
    first_month: int
    trust_landed_approval: bool = False
    least_segment: int = 0
    personal_allowed: frozenset[PersonalKind] = frozenset()


class Rules:
    """The rules of one table under one set of limits."""

    def __init__(self, table: Table, limits: Limits) -> None:
        self._table = table
        self._limits = limits
        self._columns = _Columns.of(table)

    def refine(self, values: dict[str, Any]) -> list[Problem]:
        """Bring times to UTC milliseconds and UUIDs to lower case, in place; return what is neither."""
        problems = self._refine_times(values)
        for name in self._columns.uuids:
            if (text := values[name]) is not None:
                values[name] = text.lower()
                if not _UUID.fullmatch(text):
                    problems.append(_no_uuid(name, text))
        return problems

    def _refine_times(self, values: dict[str, Any]) -> list[Problem]:
        problems = []
        for name in self._columns.times:
            if (text := values[name]) is not None:
                values[name] = parse_time(text)
                if values[name] is None:
                    problems.append(_no_time(name, text))
        for column, member in self._columns.members:
            if (shape := values[column]) is not None:
                problems += _refine_member(shape, column, member)
        return problems

    def broken(self, values: dict[str, Any]) -> list[Problem]:
        """Return the rules that refined ``values`` break."""
        problems = [*_user(values["user_id"]), *self._times(values)]
        for column in self._columns.snakes:
            text = values[column]
            if text is not None and not _SNAKE.fullmatch(text):
                problems.append(_no_snake(column, text))
        if self._table.check is not None:
            problems += self._table.check(values)
        return [*problems, *_too_small(values.get("segments"), self._limits.least_segment)]

    def _times(self, values: dict[str, Any]) -> Iterator[Problem]:
        created, version = values["created_at"], _version(self._table, values)
        for name in self._columns.times:
            yield from _not_ahead(name, values[name], self._limits)
        if version is not None and self._table.version not in values:
            yield from _not_ahead(str(self._table.version), version, self._limits)
        if version is not None and created is not None and version < created:
            yield _out_of_order(str(self._table.version), version, created)
        if self._table.by_month and created is not None and month_of(created) < self._limits.first_month:
            yield _too_early(created, self._limits.first_month)


def _refine_member(shape: msgspec.Struct, column: str, member: str) -> list[Problem]:
    text = getattr(shape, member)
    if text is None:
        return []
    moment = parse_time(text)
    setattr(shape, member, moment)
    return [] if moment is not None else [_no_time(f"{column}.{member}", text)]


def _no_time(field: str, text: str) -> Problem:
    remedy = "Write the time as 2025-05-31T12:00:00Z, with any offset."
    return reasons.malformed(field, reasons.shown(text), "an ISO 8601 time", remedy)


def _no_uuid(field: str, text: str) -> Problem:
    return reasons.malformed(field, reasons.shown(text), "a UUID (8-4-4-4-12 hexadecimal)", f"Send {field} as a UUID.")


def _no_snake(field: str, text: str) -> Problem:
    remedy = "Write it like the_trade_desk or google_ads."
    return reasons.malformed(field, reasons.shown(text), "lower_snake_case", remedy)


def _user(user_id: str | None) -> Iterator[Problem]:
    if user_id is not None and (found := _legal(user_id)) is not None:
        expected = f"a non-empty text of at most {MAX_ENCODED_BYTES} bytes once percent-encoded"
        yield Problem("user_id", "illegal_user_id", found, expected, "Use another user_id.")


def _too_small(segments: Iterable[Segment] | None, least: int) -> Iterator[Problem]:
    for index, segment in enumerate(segments or ()):
        if 0 < segment.size < least:
            expected = f"0, or at least {least} (AUDIENCE_PIPELINE_MIN_SEGMENT_SIZE)"
            remedy = "Merge it with another segment; so few people can be told apart."
            yield Problem(f"segments[{index}].size", "segment_too_small", "a few people", expected, remedy)


def _version(table: Table, values: dict[str, Any]) -> datetime | None:
    if table.version is None:
        return None
    column, _, member = table.version.partition(".")
    value = values[column]
    moment = getattr(value, member) if member and value is not None else value
    return moment if isinstance(moment, datetime) else None


def _not_ahead(field: str, moment: datetime | None, limits: Limits) -> Iterator[Problem]:
    planned = field in _PLANNED
    if moment is not None and moment > limits.now + (HORIZON if planned else CLOCK_TOLERANCE):
        expected = "at most 2 years ahead" if planned else "at most 5 minutes ahead of our clock"
        remedy = "Check the clock and the time zone of the sender."
        yield Problem(field, "in_future", iso(moment), f"{expected} ({iso(limits.now)})", remedy)


def _out_of_order(field: str, version: datetime, created: datetime) -> Problem:
    expected = f"at or after created_at ({iso(created)})"
    return Problem(field, "inconsistent", iso(version), expected, "Correct one of the two times.")


def _too_early(created: datetime, first_month: int) -> Problem:
    expected = f"{first_month // 100}-{first_month % 100:02d} or later"
    remedy = "Correct created_at, or set AUDIENCE_PIPELINE_FIRST_MONTH to an earlier month."
    return Problem("created_at", "before_first_month", iso(created), expected, remedy)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which columns, and members of JSON columns, each rule is about."""

    times: tuple[str, ...]
    members: tuple[tuple[str, str], ...]
    uuids: tuple[str, ...]
    snakes: tuple[str, ...]

    @classmethod
    def of(cls, table: Table) -> "_Columns":
        members = ((each.name, member) for each in table.of_type(LogicalType.JSON) for member in _time_members(each))
        return cls(
            times=tuple(each.name for each in table.of_type(LogicalType.TIMESTAMP)),
            members=tuple(members),
            uuids=tuple(each.name for each in table.columns if each.format is Format.UUID),
            snakes=tuple(each.name for each in table.columns if each.format is Format.SNAKE),
        )


def _time_members(column: Column) -> Iterator[str]:
    if isinstance(column.shape, type) and issubclass(column.shape, msgspec.Struct):
        for each in msgspec.structs.fields(column.shape):
            if datetime in get_args(each.type):
                yield each.name
