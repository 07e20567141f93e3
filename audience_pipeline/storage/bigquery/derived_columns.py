"""Columns of users' own tables: Arrow's types in BigQuery, and back.

Belongs here: which type each becomes, and what is said of it in DDL. Does not belong here: rows.

BigQuery has fewer types than Arrow. So the description of a column is the Arrow type it came in, and a table gives back
what an asset returned: an unsigned integer of 32 bits, a moment without a zone (which is in UTC). Where somebody wrote
something else there, a column is read in BigQuery's own type.
"""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.types as kinds

from audience_pipeline.tables.bigquery import quoted

if TYPE_CHECKING:
    from google.cloud import bigquery

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,299}")
SUPPORTED = "numbers, texts, bytes, booleans, dates, timestamps, decimals, lists of them and structs"
"""What a column may be of."""

_REPEATED = "REPEATED"
_STRUCT = ("RECORD", "STRUCT")
_MOMENT = pa.timestamp("us", "UTC")
_TYPES: tuple[tuple[Callable[[pa.DataType], bool], str, pa.DataType], ...] = (
    (kinds.is_integer, "INT64", pa.int64()),
    (kinds.is_floating, "FLOAT64", pa.float64()),
    (kinds.is_boolean, "BOOL", pa.bool_()),
    (kinds.is_string, "STRING", pa.string()),
    (kinds.is_binary, "BYTES", pa.binary()),
    (kinds.is_date, "DATE", pa.date32()),
    (kinds.is_timestamp, "TIMESTAMP", _MOMENT),
)
"""Arrow types, what they are in BigQuery, and the type they are loaded in."""
_LEGACY = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
_OWN = {name: staged for _, name, staged in _TYPES}
_NUMERIC_SCALE, _NUMERIC_WHOLE = 9, 29
_KNOWN = {
    str(kind): kind
    for kind in (
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.float16(), pa.float32(), pa.float64(), pa.bool_(), pa.string(), pa.binary(), pa.date32(), pa.date64()),
        *(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")),
    )
}
_ZONED = re.compile(r"timestamp\[(s|ms|us|ns), tz=(.+)\]")
_DECIMAL = re.compile(r"decimal128\((\d+), (\d+)\)")


def plain(kind: pa.DataType) -> pa.DataType:
    """Return the type a column is kept as: one without values is of texts, one that repeats its values is of these."""
    if kinds.is_null(kind):
        return pa.string()
    if kinds.is_dictionary(kind):
        return plain(kind.value_type)
    if kinds.is_list(kind):
        return pa.list_(plain(kind.value_type))
    return pa.struct([each.with_type(plain(each.type)) for each in kind]) if kinds.is_struct(kind) else kind


def supported(kind: pa.DataType, *, inside_list: bool = False) -> bool:
    """Return whether a type of :func:`plain` has a counterpart; a list of lists has none."""
    if kinds.is_list(kind):
        return not inside_list and supported(kind.value_type, inside_list=True)
    if kinds.is_struct(kind):
        return kind.num_fields > 0 and all(NAME.fullmatch(each.name) and supported(each.type) for each in kind)
    return _scalar(kind) is not None


def staged(kind: pa.DataType) -> pa.DataType:
    """Return the type in which values of a supported type are loaded."""
    if kinds.is_list(kind):
        return pa.list_(staged(kind.value_type))
    if kinds.is_struct(kind):
        return pa.struct([each.with_type(staged(each.type)) for each in kind])
    return next((loaded for matches, _, loaded in _TYPES if matches(kind)), kind)


def field(name: str, kind: pa.DataType) -> "bigquery.SchemaField":
    """Return the column for a supported type."""
    from google.cloud import bigquery

    if kinds.is_list(kind):
        item = field(name, kind.value_type)
        return bigquery.SchemaField(
            name, item.field_type, _REPEATED, description=item.description, fields=tuple(item.fields)
        )
    if kinds.is_struct(kind):
        return bigquery.SchemaField(name, "RECORD", fields=tuple(field(each.name, each.type) for each in kind))
    return bigquery.SchemaField(name, str(_scalar(kind)), description=str(kind))


def arrow_type(column: "bigquery.SchemaField") -> pa.DataType:
    """Return the Arrow type a column is read in."""
    if column.field_type in _STRUCT:
        kind = pa.struct([(each.name, arrow_type(each)) for each in column.fields])
    else:
        own = _LEGACY.get(column.field_type, column.field_type)
        kind = _remembered(column.description or "") or _OWN.get(own, pa.string())
    return pa.list_(kind) if column.mode == _REPEATED else kind


def definitions(columns: "Iterable[bigquery.SchemaField]") -> str:
    """Return columns as DDL."""
    return ",\n  ".join(_definition(column) for column in columns)


def _definition(column: "bigquery.SchemaField") -> str:
    kind = column.field_type
    if kind in _STRUCT:
        kind = f"STRUCT<{', '.join(_definition(each) for each in column.fields)}>"
    if column.mode == _REPEATED:
        kind = f"ARRAY<{kind}>"
    told = f" OPTIONS (description = {quoted(column.description)})" if column.description else ""
    return f"`{column.name}` {kind}{told}"


def _scalar(kind: pa.DataType) -> str | None:
    if kinds.is_decimal128(kind):
        small = 0 <= kind.scale <= _NUMERIC_SCALE and kind.precision - kind.scale <= _NUMERIC_WHOLE
        return "NUMERIC" if small else "BIGNUMERIC"
    return next((name for matches, name, _ in _TYPES if matches(kind)), None)


def _remembered(text: str) -> pa.DataType | None:
    """Return the Arrow type of a name, None where it is no such name."""
    if match := _ZONED.fullmatch(text):
        return pa.timestamp(match[1], match[2])
    if match := _DECIMAL.fullmatch(text):
        return pa.decimal128(int(match[1]), int(match[2]))
    return _KNOWN.get(text)
