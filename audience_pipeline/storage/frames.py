"""What an upsert accepts: Arrow in, a canonical polars frame out, or an error that names the column and the values.

Belongs here: holding a whole frame against the declaration. Does not belong here: rules that need the stored rows. A
frame that breaks the declaration is refused as a whole: landing has validated its records one by one, so what arrives
broken here comes from code, and half of it stored would help nobody.
"""

from collections.abc import Callable
from functools import cache
from typing import NoReturn

import msgspec
import polars as pl
import pyarrow as pa

from audience_pipeline.errors import RefusedError, SecurityError
from audience_pipeline.security import is_plaintext
from audience_pipeline.storage.months import with_month
from audience_pipeline.storage.rules import ROW
from audience_pipeline.tables import POSITION, Column, Format, LogicalType, Table
from audience_pipeline.tables.canonical import canonical_text
from audience_pipeline.tables.polars import PATTERNS, TYPES
from audience_pipeline.tables.tenant import user_id_problem

_SHOWN = 3


def prepare(table: Table, rows: pa.Table, position: int | None, *, canonical: bool = False) -> pl.DataFrame:
    """Return ``rows`` with the declared columns in canonical form, ``_row``, ``landed_position`` and ``_month``.

    ``position`` is given to rows without one; None leaves them without. ``canonical`` says that JSON texts come from
    landing, which made them so; that secrets are sealed is never taken on trust.
    Raises RefusedError (or SecurityError, for secrets in plain text) where the frame breaks the declaration.
    """
    _check_names(table, rows)
    frame = pl.DataFrame(pl.from_arrow(rows))
    typed = [_typed(column, frame) for column in table.columns]
    frame = frame.lazy().select(*typed, _position(frame, position)).with_row_index(ROW).collect(engine="in-memory")
    return with_month(table, admit(table, frame, canonical=canonical))


def admit(table: Table, frame: pl.DataFrame, *, canonical: bool = False) -> pl.DataFrame:
    """Return ``frame``, which is typed as declared, with its JSON texts made canonical.

    Raises RefusedError (or SecurityError) where a value breaks the declaration.
    """
    _check_values(table, frame)
    texts = [column for column in table.of_type(LogicalType.JSON) if column.secret or not canonical]
    return frame.with_columns([_canonical(table, column, frame[column.name]) for column in texts])


def _check_names(table: Table, rows: pa.Table) -> None:
    known = {*table.column_names, POSITION}
    wrong = [name for name in rows.column_names if name not in known]
    missing = [column.name for column in table.columns if column.required and column.name not in rows.column_names]
    if wrong or missing:
        raise RefusedError(
            table.name,
            found=_listed("unknown columns", wrong) or _listed("no columns", missing),
            expected=f"the columns of {table.name}",
            remedy="Rename or drop what is unknown and add what is missing; the store takes no other columns.",
        )


def _listed(what: str, names: list[str]) -> str:
    return f"{what} {', '.join(names)}" if names else ""


def _typed(column: Column, frame: pl.DataFrame) -> pl.Expr:
    """Cast to the declared type; UUIDs in lower case, times cut to milliseconds of UTC, absent arrays empty."""
    if column.name not in frame.columns:
        empty = (
            pl.lit([], pl.List(pl.String)) if column.type is LogicalType.STRINGS else pl.lit(None, TYPES[column.type])
        )
        return empty.alias(column.name)
    value, kind = pl.col(column.name), frame.schema[column.name]
    if column.type is LogicalType.TIMESTAMP and isinstance(kind, pl.Datetime) and kind.time_zone:
        value = value.to_physical().cast(pl.Datetime(kind.time_unit))
    if not _castable(column.type, kind):
        raise RefusedError(
            object=f"column {column.name}",
            found=f"type {kind}",
            expected=f"{column.type.value} ({TYPES[column.type]})",
            remedy="Cast the column before it is stored; the store converts no values.",
        )
    value = value.cast(TYPES[column.type])
    if column.format is Format.UUID:
        value = value.str.to_lowercase()
    return value.fill_null([]) if column.type is LogicalType.STRINGS else value


def _castable(wanted: LogicalType, kind: pl.DataType) -> bool:
    match wanted:
        case LogicalType.TIMESTAMP:
            return isinstance(kind, pl.Datetime | pl.Null)
        case LogicalType.INT64:
            return (kind.is_integer() and kind != pl.UInt64) or isinstance(kind, pl.Null)
        case LogicalType.STRINGS:
            return isinstance(kind, pl.Null) or (
                isinstance(kind, pl.List) and isinstance(kind.inner, pl.String | pl.Null)
            )
        case _:
            return isinstance(kind, pl.String | pl.Categorical | pl.Enum | pl.Null)


def _position(frame: pl.DataFrame, position: int | None) -> pl.Expr:
    if POSITION in frame.columns:
        return pl.col(POSITION).cast(pl.Int64).fill_null(pl.lit(position, pl.Int64))
    return pl.lit(position, pl.Int64).alias(POSITION)


def _check_values(table: Table, frame: pl.DataFrame) -> None:
    """Hold all values against their columns in one pass; only a broken rule is looked at again."""
    rules = _rules(table)
    broken = frame.select(wrong.fill_null(value=False).any().alias(str(n)) for n, (_, wrong, _) in enumerate(rules))
    for (column, wrong, expected), found in zip(rules, broken.row(0), strict=True):
        if found:
            _refuse(table, column, frame.filter(wrong)[column.name], frame.height, expected)
    users = frame["user_id"].unique()
    if illegal := [user for user in users if user_id_problem(user)]:
        values = frame["user_id"].filter(frame["user_id"].is_in(illegal))
        _refuse(
            table, table.by_name["user_id"], values, frame.height, "a non-empty user id of at most 240 encoded bytes"
        )


@cache
def _rules(table: Table) -> list[tuple[Column, pl.Expr, str]]:
    """Return what makes a value wrong, column by column, with what is expected instead."""
    rules: list[tuple[Column, pl.Expr, str]] = []
    for column in table.columns:
        value = pl.col(column.name)
        if column.required:
            rules.append((column, value.is_null(), "a value in every row"))
        if column.values:
            rules.append((column, ~value.is_in(list(column.values)), " | ".join(column.values)))
        if column.format:
            rules.append((column, ~value.str.contains(PATTERNS[column.format]), column.format.value))
        if column.minimum is not None:
            rules.append((column, value < column.minimum, f"at least {column.minimum}"))
        if column.type is LogicalType.STRINGS:
            rules.append((column, value.list.eval(pl.element().is_null()).list.any(), "texts without null among them"))
    return rules


def _refuse(table: Table, column: Column, wrong: pl.Series, rows: int, expected: str) -> NoReturn:
    shown = ", ".join(repr(value)[:60] for value in wrong.unique().head(_SHOWN))
    raise RefusedError(
        object=f"{table.name}.{column.name}",
        found=f"{shown} in {len(wrong)} of {rows} rows",
        expected=expected,
        remedy="Correct the rows, or land them as records so that each gets a verdict of its own.",
    )


def _canonical(table: Table, column: Column, values: pl.Series) -> pl.Series:
    check = _sealed if column.secret else canonical_text
    texts = []
    for row, text in enumerate(values):
        texts.append(_checked(table, column, row, text, check))
    return pl.Series(column.name, texts, pl.String)


def _checked(
    table: Table, column: Column, row: int, text: str | None, check: Callable[[Column, str | None], str | None]
) -> str | None:
    try:
        return check(column, text)
    except (msgspec.DecodeError, OverflowError, RecursionError, UnicodeError) as error:
        raise RefusedError(
            object=f"{table.name}.{column.name}, row {row}",
            found="text that does not fit" if column.secret else str(error),
            expected="JSON of the declared shape",
            remedy="Write the column with the members the documentation of the table lists.",
        ) from None


def _sealed(column: Column, text: str | None) -> str | None:
    """Return canonical credentials; secrets in plain text never come this far."""
    if text is not None and is_plaintext(msgspec.json.decode(text)):
        raise SecurityError(
            column.name,
            found="a secret in plain text",
            expected="sealed format v1",
            remedy="Seal the records first: `audience-pipeline credentials seal`.",
        )
    return canonical_text(column, text)
