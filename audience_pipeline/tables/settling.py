"""Values brought to the one form their text is made of: times in UTC, free numbers without a needless ``.0``.

Belongs here: walking values, decoded shapes and free JSON alike. Does not belong here: their text (:mod:`.canonical`).
"""

import math
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any, get_args, get_origin

import msgspec

from audience_pipeline.tables.shapes import utc_millis

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
MAX_DEPTH = 100
_LEAVES = frozenset({str, bool, type(None), datetime})
_EXACT_DOUBLE = 2**53


def is_settled(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Return whether :func:`settled` would change no number; for values decoded with bounded types."""
    kind = type(value)
    if kind is list or kind is dict:
        return all(
            is_settled(item) for item in (value if kind is list else value.values()) if type(item) not in _LEAVES
        )
    if kind is float:
        return not (value.is_integer() and abs(value) <= _EXACT_DOUBLE)
    if kind in _LEAVES or kind is int:
        return True
    shape: type[msgspec.Struct] = kind
    return all(is_settled(getattr(value, name)) for name in _unsettled(shape)[1])


def settled(value: Any, depth: int = 0) -> Any:  # noqa: ANN401 - any JSON value
    """Bring times to UTC milliseconds and free numbers to their one form, in place where there is a place.

    Raises OverflowError for a number beyond 64 bits, RecursionError for nesting deeper than ``MAX_DEPTH``.
    """
    kind = type(value)
    if kind in _LEAVES:
        return value
    if kind is float or kind is int:
        return _settled_number(value)
    if depth >= MAX_DEPTH:
        message = f"nested more than {MAX_DEPTH} levels deep"
        raise RecursionError(message)
    if kind is dict:
        _settle_items(value, value.items(), depth + 1)
    elif kind is list:
        _settle_items(value, enumerate(value), depth + 1)
    else:
        _settle_members(value, depth + 1)
    return value


def _settle_items(container: Any, items: Iterable[tuple[Any, Any]], depth: int) -> None:  # noqa: ANN401 - dict or list
    for place, item in items:
        if type(item) not in _LEAVES and (new := settled(item, depth)) is not item:
            container[place] = new


def _settled_number(value: float) -> float:
    if abs(value) <= _EXACT_DOUBLE:
        return int(value) if value == int(value) else value
    if not math.isfinite(value) or (type(value) is int and not INT64_MIN <= value <= INT64_MAX):
        message = "a number beyond 64 bits"
        raise OverflowError(message)
    return value


def _settle_members(shape: msgspec.Struct, depth: int) -> None:
    times, free = _unsettled(type(shape))
    for name in free:
        if (member := getattr(shape, name)) is not None:
            setattr(shape, name, settled(member, depth))
    for name in times:
        if (moment := getattr(shape, name)) is not None:
            setattr(shape, name, utc_millis(moment))


@cache
def _unsettled(shape: type[msgspec.Struct]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the members of ``shape`` that are times, and those that hold free JSON."""
    fields = msgspec.structs.fields(shape)
    times = tuple(each.name for each in fields if datetime in (each.type, *get_args(each.type)))
    free = tuple(each.name for each in fields if _is_free(each.type))
    return times, free


def _is_free(kind: Any) -> bool:  # noqa: ANN401 - any type a struct member may have
    """Return whether ``kind`` is JSON no shape describes, which may be an object of any members."""
    return kind is Any or get_origin(kind) is dict or any(_is_free(part) for part in get_args(kind))


def has_free_json(kind: Any) -> bool:  # noqa: ANN401 - a type as msgspec takes it
    """Return whether values of ``kind`` may hold JSON no shape describes."""
    return _is_free(kind) or any(_is_free(part) or has_free_json(part) for part in _parts(kind))


def has_times(kind: Any) -> bool:  # noqa: ANN401 - a type as msgspec takes it
    """Return whether values of ``kind`` may hold times."""
    return kind is datetime or any(has_times(part) for part in _parts(kind))


def _parts(kind: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a type as msgspec takes it
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return tuple(each.type for each in msgspec.structs.fields(kind))
    return get_args(kind)
