"""Canonical forms: one text for one JSON value, one digest for one row.

Belongs here: what makes two records equal, on every backend. Does not belong here: which of two different records wins
(the store's rules), or whether a value is allowed at all (landing).

Canonical JSON has sorted keys, no whitespace, doubles in their shortest form and times in UTC milliseconds. Members of
a declared shape are typed by it (a float member writes 5 and 5.0 alike) and absent ones are left out; an object without
members is null. In JSON that no shape describes, a double without a fraction is written as an integer, because backends
do not agree on keeping the difference.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, get_args, get_origin

import msgspec

from audience_pipeline.tables.declaration import Column, Owner, Table
from audience_pipeline.tables.rewriting import BOUNDED, rewritten
from audience_pipeline.tables.shapes import utc_millis
from audience_pipeline.tables.types import LogicalType

if TYPE_CHECKING:
    import pyarrow as pa

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
MAX_DEPTH = 100
_LEAVES = frozenset({str, bool, type(None), datetime})
_EXACT_DOUBLE = 2**53

_ENCODER = msgspec.json.Encoder(order="sorted")
_NOTHING = (b"{}", b"null")
_UNSETTLED = (b".0,", b".0}", b".0]", b'_at":"')
"""What the text of a value may contain that is not settled: doubles without a fraction, and times."""


def canonical_json(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    """Return the canonical text of ``value``: a decoded shape, a list of them, or free JSON. Null and {} give None.

    The value is brought to its canonical form in place. Raises OverflowError for an integer beyond 64 bits or a double
    that is not finite, RecursionError for nesting deeper than ``MAX_DEPTH``.
    """
    value = _settled(value, 0)
    if value is None:
        return None
    text = _ENCODER.encode(value).decode()
    return None if text == "{}" else text


def canonical_text(column: Column, text: str | None) -> str | None:
    """Return the canonical text of what ``text`` says, typed by the JSON ``column``.

    Raises:
        msgspec.DecodeError: it is no JSON, or (msgspec.ValidationError) not what may be stored in the column.
        OverflowError, RecursionError: as for :func:`canonical_json`.
    """
    if text is None:
        return None
    try:
        value = _decoder(column, bounded=True).decode(text)
    except msgspec.ValidationError:
        return canonical_json(_decoder(column, bounded=False).decode(text))
    return canonical_bounded(value)


def canonical_bounded(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    """Return the same as :func:`canonical_json` for a value decoded with bounded types, sooner in most cases."""
    encoded = _ENCODER.encode(value)
    for mark in _UNSETTLED:
        if mark in encoded:
            return canonical_json(value)
    return None if encoded in _NOTHING else encoded.decode()


def comparable(column: Column, text: str | None) -> str | None:
    """Return the part of a canonical JSON ``text`` that speaks for the application when content is compared.

    Members that only the engine changes are left out; where the column names members that stand for the whole, only
    those stay.
    """
    if text is None or not (column.engine_members or column.compared_by):
        return text
    members = msgspec.json.decode(text)
    kept = {name: value for name, value in members.items() if _is_compared(column, name)}
    return _ENCODER.encode(kept).decode() if kept else None


def merged_members(column: Column, text: str | None, base: str | None) -> str | None:
    """Return ``text`` with the members that only the engine changes taken from ``base``; both are canonical."""
    engine = msgspec.json.decode(base or "{}")
    kept = {name: member for name, member in engine.items() if name in column.engine_members}
    landed = msgspec.json.decode(text or "{}")
    members = {name: member for name, member in landed.items() if name not in column.engine_members} | kept
    return _ENCODER.encode(members).decode() if members else None


def row_digest(values: Iterable[Any]) -> bytes:
    """Return the SHA-256 of the canonical JSON array of ``values`` (texts, integers, lists of texts, None)."""
    return hashlib.sha256(_ENCODER.encode(list(values))).digest()


def application_digests(table: Table, rows: "pa.Table") -> list[bytes]:
    """Return a digest a row over the columns the application owns: equal content, equal digest.

    ``rows`` has the table's columns with canonical JSON texts; times count as milliseconds, absent arrays as [].
    """
    columns = [_values(column, rows) for column in table.owned_by(Owner.APPLICATION)]
    return [row_digest(values) for values in zip(*columns, strict=True)]


def content_digest(table: Table, rows: "pa.Table") -> str:
    """Return one hexadecimal digest of ``rows``, whatever their order; sealed texts count by their fingerprint."""
    columns = [_values(column, rows, whole=True) for column in table.columns]
    digests = sorted(row_digest(values) for values in zip(*columns, strict=True))
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _values(column: Column, rows: "pa.Table", *, whole: bool = False) -> Iterator[Any]:
    values = rows.column(column.name)
    match column.type:
        case LogicalType.TIMESTAMP:
            return iter(values.cast("int64").to_pylist())
        case LogicalType.STRINGS:
            return (each or [] for each in values.to_pylist())
        case LogicalType.JSON if column.compared_by or not whole:
            return (comparable(column, text) for text in values.to_pylist())
        case _:
            return iter(values.to_pylist())


def _is_compared(column: Column, member: str) -> bool:
    return member not in column.engine_members and (not column.compared_by or member in column.compared_by)


@cache
def _decoder(column: Column, *, bounded: bool) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(rewritten(column.json_type, {Any: BOUNDED}) if bounded else column.json_type)


def _settled(value: Any, depth: int) -> Any:  # noqa: ANN401 - any JSON value
    """Bring times to UTC milliseconds and free numbers to their one form, in place where there is a place."""
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
        if type(item) not in _LEAVES and (settled := _settled(item, depth)) is not item:
            container[place] = settled


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
            setattr(shape, name, _settled(member, depth))
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
