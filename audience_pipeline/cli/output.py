"""How rows are shown: as a table for people, as JSON or CSV for programs.

Belongs here: the three formats, alike for every command that returns rows. Does not belong here: which rows.

Times are ISO 8601 in UTC with milliseconds and a Z. JSON columns are JSON inside JSON, and text elsewhere. Numbers are
never rounded; those JSON has no form for (NaN, infinities) are null in it. An interval is an ISO 8601 duration, bytes
are base64, a map is an array of objects with `key` and `value`. A time outside the years 1 to 9999 is `infinity`,
`-infinity` or `<value out of range: …>`. Stored text is anybody's: in the table, characters that would steer a terminal
are shown as escapes.
"""

import csv
import shutil
import sys
from base64 import b64encode
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from io import StringIO
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

if TYPE_CHECKING:
    import pyarrow as pa

_WIDEST = 48
_INFINITE = {sign * (2**bits - 1): text for bits in (31, 63) for sign, text in ((1, "infinity"), (-1, "-infinity"))}
"""What DuckDB keeps for infinite dates and times."""
_FALLBACK_SIZE = (120, 40)


class OutputFormat(StrEnum):
    """The formats rows can have."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


FormatOption = Annotated[
    OutputFormat, typer.Option("--format", help="How rows are printed: table for people, json or csv for programs.")
]


def print_rows(rows: "pa.Table", output: OutputFormat, json_columns: Collection[str] = ()) -> None:
    """Print rows on stdout.

    Args:
        rows: what to print; a table without rows prints `[]`, a header, or "No rows."
        output: the format.
        json_columns: names of the columns whose text is JSON.
    """
    formats = {OutputFormat.JSON: _json, OutputFormat.CSV: _csv, OutputFormat.TABLE: _table}
    for text in formats[output](rows, frozenset(json_columns)):
        sys.stdout.write(text)


def _json(rows: "pa.Table", json_columns: frozenset[str]) -> Iterator[str]:
    """Yield one array of objects, an object a line."""
    before = "["
    for row in _records(rows):
        yield before + _encoded({name: _raw(value) if name in json_columns else value for name, value in row.items()})
        before = ",\n"
    yield "[]\n" if before == "[" else "]\n"


def _csv(rows: "pa.Table", _json_columns: frozenset[str]) -> Iterator[str]:
    """Yield a header and a line a row; an absent value is an empty cell, a list is JSON."""
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(rows.column_names)
    for row in _records(rows):
        writer.writerow([_text(value) for value in row.values()])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _table(rows: "pa.Table", _json_columns: frozenset[str]) -> Iterator[str]:
    """Yield columns side by side where they fit the terminal, and otherwise a block a row, its values in full."""
    if not rows.num_rows:
        yield "No rows.\n"
        return
    width = shutil.get_terminal_size(_FALLBACK_SIZE).columns
    cells = [{name: _visible(_text(value)) for name, value in row.items()} for row in _records(rows)]
    widths = {name: max(len(name), *(len(row[name]) for row in cells)) for name in rows.column_names}
    fits = max(widths.values()) <= _WIDEST and sum(widths.values()) + 2 * (len(widths) - 1) <= width
    yield _side_by_side(cells, widths) if fits else _blocks(cells, width)
    yield f"({rows.num_rows} {'row' if rows.num_rows == 1 else 'rows'})\n"


def _side_by_side(cells: list[dict[str, str]], widths: dict[str, int]) -> str:
    header = {name: name for name in widths}
    rule = {name: "─" * size for name, size in widths.items()}
    lines = ["  ".join(row[name].ljust(size) for name, size in widths.items()) for row in (header, rule, *cells)]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _blocks(cells: list[dict[str, str]], width: int) -> str:
    margin = max(map(len, cells[0])) + 2
    room = max(width - margin, 20)
    lines = []
    for number, row in enumerate(cells, start=1):
        lines.append(f"── {number} ".ljust(width, "─"))
        for name, value in row.items():
            for start in range(0, max(len(value), 1), room):
                label = "" if start else name
                lines.append(label.ljust(margin) + value[start : start + room])
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _records(rows: "pa.Table") -> Iterator[dict[str, Any]]:
    """Yield each row as plain values; a nested moment is a text as well."""
    for batch in rows.to_batches():
        columns = [_values(column) for column in batch.columns]
        for values in zip(*columns, strict=True):
            yield {name: _plain(value) for name, value in zip(rows.column_names, values, strict=True)}


def _values(column: "pa.Array") -> list[Any]:
    """Return the values of a column; a time beyond Python's years is the text of it."""
    try:
        return list(column.to_pylist())
    except (OverflowError, ValueError):
        return [_value(scalar) for scalar in column]


def _value(scalar: "pa.Scalar") -> Any:  # noqa: ANN401 - whatever a statement returns
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):
        if hasattr(scalar, "items"):
            return {name: _value(part) for name, part in scalar.items()}
        if hasattr(scalar, "values"):
            return [_value(part) for part in scalar.values]
        if hasattr(scalar, "type_code"):
            return _value(scalar.value)
        return _INFINITE.get(scalar.value) or str(scalar.cast("string"))


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a statement returns
    if isinstance(value, datetime):
        moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return moment.isoformat(timespec="milliseconds") + "Z"
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return _duration(*value) if hasattr(value, "nanoseconds") else _entry(*value)
    return value


def _entry(key: Any, value: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a map holds
    return {"key": _plain(key), "value": _plain(value)}


def _duration(months: int, days: int, nanoseconds: int) -> str:
    """Return an interval in ISO 8601: months, days and seconds, none of which is a number of another."""
    seconds = f"{Decimal(nanoseconds).scaleb(-9).normalize():f}"
    parts = [f"{months}M" * bool(months), f"{days}D" * bool(days), f"T{seconds}S" * bool(nanoseconds)]
    return "P" + ("".join(parts) or "T0S")


def _text(value: Any) -> str:  # noqa: ANN401 - whatever a statement returns
    if value is None or isinstance(value, str):
        return value or ""
    return _encoded(value) if isinstance(value, bool | list | dict) else str(value)


def _encoded(value: Any) -> str:  # noqa: ANN401 - whatever a statement returns
    return msgspec.json.Encoder(enc_hook=str, decimal_format="number").encode(value).decode()


def _raw(text: str | None) -> Any:  # noqa: ANN401 - JSON
    return None if text is None else msgspec.Raw(text.encode())


def _visible(text: str) -> str:
    """Return the text with what is not printable as an escape."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
