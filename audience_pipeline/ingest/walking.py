"""Every reason at once: a record held against its types, member by member.

Belongs here: what a type says (JSON type, range, length, allowed values, unknown members) and the limits on all JSON.
Does not belong here: rules beyond a type (:mod:`.rules`). It runs for records that the fast path does not take, and
decides alone which of them are wrong.
"""

import difflib
import math
from collections.abc import Iterator
from functools import singledispatch
from typing import Any

from msgspec import inspect

from audience_pipeline.ingest import reasons
from audience_pipeline.tables import Problem
from audience_pipeline.tables.settling import INT64_MAX, INT64_MIN, MAX_DEPTH


@singledispatch
def problems_of(kind: inspect.Type, value: object, field: str) -> Iterator[Problem]:
    """Return every reason why ``value``, found at ``field`` (dotted, indexed), is not of the type ``kind``."""
    message = f"no rule for {type(kind).__name__} at {field}, which holds {type(value).__name__}"
    raise TypeError(message)


@problems_of.register
def _metadata(kind: inspect.Metadata, value: object, field: str) -> Iterator[Problem]:
    if list(problems_of(kind.type, value, field)):
        expected = str((kind.extra_json_schema or {})["description"])
        yield reasons.wrong_type(field, reasons.shown(value), expected)


@problems_of.register
def _optional(kind: inspect.UnionType, value: object, field: str) -> Iterator[Problem]:
    if value is not None:
        (inner,) = (each for each in kind.types if not isinstance(each, inspect.NoneType))
        yield from problems_of(inner, value, field)


@problems_of.register
def _struct(kind: inspect.StructType, value: object, field: str) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield reasons.wrong_type(field, reasons.shown(value), "an object")
        return
    for member in kind.fields:
        where = f"{field}.{member.name}" if field else member.name
        if member.required and value.get(member.name) is None:
            yield reasons.missing(where, expected(member.type))
        elif member.name in value:
            yield from problems_of(member.type, value[member.name], where)
    yield from _unknown(kind, value, field)


def _unknown(kind: inspect.StructType, value: dict[str, Any], field: str) -> Iterator[Problem]:
    known = [member.name for member in kind.fields]
    for name in value:
        if name not in known:
            short = name[: reasons.SHOWN_CHARACTERS]
            near = difflib.get_close_matches(short, known, n=1)
            yield reasons.unknown(f"{field}.{short}" if field else short, ", ".join(known), near)


@problems_of.register
def _list(kind: inspect.ListType, value: object, field: str) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield reasons.wrong_type(field, reasons.shown(value), "an array")
    elif len(value) > reasons.MAX_ITEMS:
        yield reasons.too_many(field, len(value))
    else:
        for index, item in enumerate(value):
            yield from problems_of(kind.item_type, item, f"{field}[{index}]")


@problems_of.register
def _text(kind: inspect.StrType, value: object, field: str) -> Iterator[Problem]:
    if not isinstance(value, str):
        yield reasons.wrong_type(field, reasons.shown(value), expected(kind))
    elif len(value) > (limit := kind.max_length or reasons.MAX_TEXT):
        yield reasons.too_long(field, len(value), limit)
    elif "\0" in value:
        yield reasons.nul(field)
    elif kind.min_length and len(value) < kind.min_length:
        yield reasons.too_short(field, kind.min_length)


@problems_of.register(inspect.IntType)
@problems_of.register(inspect.FloatType)
def _number(kind: inspect.IntType | inspect.FloatType, value: object, field: str) -> Iterator[Problem]:
    numeric = int if isinstance(kind, inspect.IntType) else (int, float)
    if not isinstance(value, numeric) or isinstance(value, bool):
        yield reasons.wrong_type(field, reasons.shown(value), expected(kind))
    elif not _within(value, kind.ge, kind.le):
        yield reasons.out_of_range(field, reasons.shown(value), expected(kind))


def _within(value: float, least: float | None, most: float | None) -> bool:
    try:
        number = float(value)
    except OverflowError:
        return False
    return math.isfinite(number) and (least is None or value >= least) and (most is None or value <= most)


@problems_of.register
def _bool(kind: inspect.BoolType, value: object, field: str) -> Iterator[Problem]:
    if not isinstance(value, bool):
        yield reasons.wrong_type(field, reasons.shown(value), expected(kind))


@problems_of.register
def _literal(kind: inspect.LiteralType, value: object, field: str) -> Iterator[Problem]:
    if type(value) is not type(kind.values[0]) or value not in kind.values:
        yield reasons.not_allowed(field, reasons.shown(value), expected(kind))


@problems_of.register
def _any(_kind: inspect.AnyType, value: object, field: str) -> Iterator[Problem]:
    return _free(value, field, 1)


def _free(value: object, field: str, depth: int) -> Iterator[Problem]:
    """Hold JSON that no shape describes against the limits on all JSON."""
    if isinstance(value, dict | list):
        yield from _container(value, field, depth)
    elif isinstance(value, str):
        yield from _text(inspect.StrType(), value, field)
    elif isinstance(value, float) and not math.isfinite(value):
        yield reasons.out_of_range(field, reasons.shown(value), "a number a double can hold")
    elif isinstance(value, int) and not INT64_MIN <= value <= INT64_MAX:
        yield reasons.out_of_range(field, reasons.shown(value), "an integer of 64 bits")


def _container(value: dict[str, Any] | list[Any], field: str, depth: int) -> Iterator[Problem]:
    if depth > MAX_DEPTH:
        yield reasons.too_deep(field[: reasons.SHOWN_CHARACTERS], f"more than {MAX_DEPTH} levels", MAX_DEPTH)
    elif len(value) > reasons.MAX_ITEMS:
        yield reasons.too_many(field, len(value))
    elif isinstance(value, dict):
        for name, member in value.items():
            short = f"{field}.{name[: reasons.SHOWN_CHARACTERS]}"
            yield from _text(inspect.StrType(), name, short)
            yield from _free(member, short, depth + 1)
    else:
        for index, item in enumerate(value):
            yield from _free(item, f"{field}[{index}]", depth + 1)


def expected(kind: inspect.Type) -> str:
    """Return ``kind`` as the phrase after "expected"."""
    match kind:
        case inspect.UnionType():
            return " or ".join(expected(each) for each in kind.types)
        case inspect.Metadata():
            return str((kind.extra_json_schema or {})["description"])
        case inspect.LiteralType():
            return " | ".join(reasons.shown(each).strip("'") for each in kind.values)
        case inspect.IntType() | inspect.FloatType():
            return _expected_number(kind)
        case _:
            return _PHRASES[type(kind)]


def _expected_number(kind: inspect.IntType | inspect.FloatType) -> str:
    name = "an integer" if isinstance(kind, inspect.IntType) else "a number"
    if kind.ge is None or kind.ge == INT64_MIN:
        return name
    return f"{name} of at least {kind.ge}" if kind.le in (None, INT64_MAX) else f"{name} from {kind.ge} to {kind.le}"


_PHRASES: dict[type[inspect.Type], str] = {
    inspect.StructType: "an object",
    inspect.ListType: "an array",
    inspect.StrType: "text",
    inspect.BoolType: "true or false",
    inspect.NoneType: "null",
    inspect.AnyType: "any JSON",
}
