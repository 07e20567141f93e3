"""Canonical forms: one text for one JSON value, one digest for one row.

Belongs here: what makes two records equal, on every backend. Does not belong here: which of two different records wins
(the store's rules), or whether a value is allowed at all (landing).

Canonical JSON has sorted keys, no whitespace, doubles in their shortest form and times in UTC milliseconds. Members of
a declared shape are typed by it (a float member writes 5 and 5.0 alike) and absent ones are left out; an object without
members is null. In JSON that no shape describes, a double without a fraction is written as an integer, because backends
do not agree on keeping the difference.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from audience_pipeline.tables.declaration import Column, Owner, Table
from audience_pipeline.tables.rewriting import BOUNDED, rewritten
from audience_pipeline.tables.settling import has_free_json, has_times, is_settled, settled
from audience_pipeline.tables.types import LogicalType

if TYPE_CHECKING:
    import pyarrow as pa


_ENCODER = msgspec.json.Encoder(order="sorted")
encoded_json = _ENCODER.encode
"""Returns the text of a value with sorted keys, its numbers and times as they are."""
_NOTHING = (b"{}", b"null")
_WHOLE_DOUBLE = re.compile(rb"\.0[,}\]]")


def canonical_json(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    """Return the canonical text of ``value``: a decoded shape, a list of them, or free JSON. Null and {} give None.

    The value is brought to its canonical form in place. Raises OverflowError for an integer beyond 64 bits or a double
    that is not finite, RecursionError for nesting deeper than ``MAX_DEPTH``.
    """
    value = settled(value)
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
    decoder, free, timed = _plan(column)
    try:
        value = decoder.decode(text)
    except msgspec.ValidationError:
        return canonical_json(msgspec.json.decode(text, type=column.json_type))
    return canonical_json(value) if timed else canonical_bounded(value, encoded_json(value), free=free)


def canonical_bounded(value: Any, encoded: bytes, *, free: bool) -> str | None:  # noqa: ANN401 - any JSON value
    """Return the same as :func:`canonical_json`, sooner, for a value that was decoded with bounded types.

    ``encoded`` is its :func:`encoded_json`; ``free`` says whether its type has JSON no shape describes; times it may
    not have.
    """
    if free and _WHOLE_DOUBLE.search(encoded) and not is_settled(value):
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
    Rows of a table of which it owns nothing are all alike.
    """
    columns = [_values(column, rows) for column in table.owned_by(Owner.APPLICATION)]
    if not columns:
        return [row_digest(())] * rows.num_rows
    return [row_digest(values) for values in zip(*columns, strict=True)]


def content_digest(table: Table, rows: "pa.Table") -> str:
    """Return one hexadecimal digest of ``rows``, whatever their order; sealed texts count by their fingerprint."""
    return hashlib.sha256(b"".join(sorted(content_digests(table, rows)))).hexdigest()


def content_digests(table: Table, rows: "pa.Table") -> list[bytes]:
    """Return a digest a row over all columns; sealed texts count by their fingerprint."""
    columns = [_values(column, rows, whole=True) for column in table.columns]
    return [row_digest(values) for values in zip(*columns, strict=True)]


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
def _plan(column: Column) -> "tuple[msgspec.json.Decoder[Any], bool, bool]":
    """Return the decoder of bounded types for a column, and whether it has free JSON, and times."""
    kind = column.json_type
    return msgspec.json.Decoder(rewritten(kind, {Any: BOUNDED})), has_free_json(kind), has_times(kind)
