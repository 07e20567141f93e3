"""Frames of users' own assets, and the tables they are kept in: whether one fits the other.

Belongs here: columns, partitioning and clustering as values. Does not belong here: statements, or any call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from audience_pipeline.errors import RefusedError, UsageError
from audience_pipeline.storage.bigquery.derived_columns import (
    NAME,
    SUPPORTED,
    arrow_type,
    field,
    plain,
    staged,
    supported,
)

if TYPE_CHECKING:
    from google.cloud import bigquery

ADDED = "partition_month"
"""The column that is added to rows without one that decides their month; it is not read back."""
CLUSTERED_BY = "user_id"
_CAST = "Cast it in the asset."
_RENAME = "Rename it in the asset."


@dataclass(frozen=True)
class Frame:
    """Rows of one or more months, and the column that decides their month (None for a table without months)."""

    title: str
    rows: pa.Table
    month_column: str | None

    @classmethod
    def of(cls, title: str, months: Mapping[int, pa.Table], month_column: str | None) -> "Frame":
        """Return the frame of a mapping of months to rows, which are alike; month 0 is a table without months.

        Raises:
            RefusedError: a column has a name or a type without a counterpart, or a list holds a null.
        """
        rows = pa.concat_tables(months.values())
        if ADDED in rows.column_names:
            raise _refused(title, f"column {ADDED}", "a name that is not taken", _RENAME)
        if 0 in months:
            return cls(title, _checked(title, rows), None)
        if month_column is None:
            rows = pa.concat_tables(_with_month(month, part) for month, part in months.items())
        return cls(title, _checked(title, rows), month_column or ADDED)

    @property
    def names(self) -> list[str]:
        """The columns."""
        return list(self.rows.column_names)

    @cached_property
    def fields(self) -> "list[bigquery.SchemaField]":
        """The columns of the table."""
        return [field(each.name, each.type) for each in self.rows.schema]

    @property
    def loaded(self) -> pa.Table:
        """The rows in the types they are loaded in.

        Raises:
            RefusedError: a value is beyond what BigQuery can hold.
        """
        schema = pa.schema([each.with_type(staged(each.type)) for each in self.rows.schema])
        try:
            return self.rows.cast(schema)
        except pa.ArrowInvalid as error:
            expected = "integers of 64 bits and times in microseconds"
            raise _refused(self.title, str(error).splitlines()[0], expected, _CAST) from error

    @property
    def partition(self) -> str:
        """What the table is partitioned by, in SQL."""
        kind = "DATE" if self._by_date else "TIMESTAMP"
        return f"{kind}_TRUNC(`{self.month_column}`, MONTH)"

    @property
    def clustered_by(self) -> tuple[str, ...]:
        """What the table is clustered by: the tenant, where the rows have one."""
        tenant = CLUSTERED_BY in self.names and pa.types.is_string(self.rows.schema.field(CLUSTERED_BY).type)
        return (CLUSTERED_BY,) if tenant else ()

    @property
    def clustering(self) -> str:
        """The same as a clause of SQL."""
        return f"\nCLUSTER BY {', '.join(self.clustered_by)}" if self.clustered_by else ""

    def within(self) -> str:
        """Return the condition for rows between ``@since`` and ``@until``."""
        return _within(str(self.month_column), by_date=self._by_date)

    @property
    def _by_date(self) -> bool:
        return bool(pa.types.is_date(self.rows.schema.field(self.month_column).type))


@dataclass(frozen=True)
class Kept:
    """A table as it is stored."""

    title: str
    name: str
    table: "bigquery.Table"

    @property
    def month_column(self) -> str | None:
        """The column it is partitioned by."""
        partitioning = self.table.time_partitioning
        return None if partitioning is None else str(partitioning.field)

    def within(self) -> str:
        """Return the condition for rows between ``@since`` and ``@until``."""
        (column,) = [each for each in self.table.schema if each.name == self.month_column]
        return _within(column.name, by_date=column.field_type == "DATE")

    def schema_of(self, columns: Sequence[str] | None) -> pa.Schema:
        """Return the columns asked for, all by default, in the types they are read in.

        Raises:
            UsageError: there is no such column.
        """
        hidden = self.month_column == ADDED
        kept = {each.name: arrow_type(each) for each in self.table.schema if not (hidden and each.name == ADDED)}
        if unknown := [name for name in columns or () if name not in kept]:
            raise UsageError(
                self.title,
                found=f"a request for {', '.join(unknown)}",
                expected=f"columns among {', '.join(kept)}",
                remedy="Correct the input's `columns` metadata.",
            )
        return pa.schema([(name, kept[name]) for name in columns or kept])

    def fitted(self, frame: Frame) -> Frame:
        """Return the frame in the table's types where rows of it stay, as it is where none do.

        Raises:
            RefusedError: it does not fit, or the table would have to be kept in another way.
        """
        if frame.month_column is None:
            self._refuse_unlike("clustering", self.table.clustering_fields or (), frame.clustered_by)
        found = () if self.month_column is None else (self.month_column,)
        self._refuse_unlike("partitioning", found, () if frame.month_column is None else (frame.month_column,))
        return frame if frame.month_column is None else self._typed(frame)

    def _typed(self, frame: Frame) -> Frame:
        """Return the frame with the table's types; a column without values takes any."""
        stored = pa.schema([(each.name, arrow_type(each)) for each in self.table.schema])
        if frame.names != stored.names:
            found = f"columns {', '.join(frame.names)}"
            raise self._unlike(found, ", ".join(stored.names))
        for ours, theirs in zip(frame.rows.schema, stored, strict=True):
            empty = frame.rows[ours.name].null_count == frame.rows.num_rows
            if ours.type != theirs.type and not empty:
                found = f"{ours.name} of type {ours.type}"
                raise self._unlike(found, str(theirs.type))
        return replace(frame, rows=_retyped(frame.rows, stored))

    def _refuse_unlike(self, what: str, found: Sequence[str], expected: Sequence[str]) -> None:
        if tuple(found) != tuple(expected):
            raise RefusedError(
                self.title,
                found=f"a table with {what} by {', '.join(found) or 'nothing'}",
                expected=f"{what} by {', '.join(expected) or 'nothing'}",
                remedy=f"Drop {self.name} and materialize it again: this cannot be changed.",
            )

    def _unlike(self, found: str, expected: str) -> RefusedError:
        remedy = f"Cast in the asset; or, to change the table, drop {self.name} and materialize all months."
        return _refused(self.title, found, f"{expected}, as in its other months", remedy)


def _within(column: str, *, by_date: bool) -> str:
    since, until = ("DATE(@since)", "DATE(@until)") if by_date else ("@since", "@until")
    return f"`{column}` >= {since} AND `{column}` < {until}"


def _with_month(month: int, rows: pa.Table) -> pa.Table:
    first = pa.scalar(date(month // 100, month % 100, 1), pa.date32())
    return rows.append_column(ADDED, pa.repeat(first, rows.num_rows))


def _checked(title: str, rows: pa.Table) -> pa.Table:
    """Return the rows in the types they are kept as."""
    seen: set[str] = set()
    columns = []
    for each in rows.schema:
        if not NAME.fullmatch(each.name) or each.name.lower() in seen:
            expected = "columns of letters, digits and _, that differ in more than case"
            raise _refused(title, f"column '{each.name}'", expected, _RENAME)
        seen.add(each.name.lower())
        columns.append(pa.field(each.name, plain(each.type)))
        if not supported(columns[-1].type):
            raise _refused(title, f"column {each.name} of type {each.type}", SUPPORTED, _CAST)
        if pa.types.is_list(each.type) and pc.list_flatten(rows[each.name]).null_count:
            raise _refused(title, f"a null in a list of {each.name}", "lists without nulls", "Drop the nulls.")
    if not columns:
        raise _refused(title, "no columns", "at least one", "Return a frame with columns.")
    return _retyped(rows, pa.schema(columns))


def _retyped(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows in other types; a column without values may take any type."""
    columns = [
        values if values.type == each.type else _cast(values, each.type)
        for values, each in zip(rows.columns, schema, strict=True)
    ]
    return pa.table(columns, schema=schema)


def _cast(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if values.null_count == len(values):
        return pa.chunked_array([pa.nulls(len(values), kind)])
    return values.cast(kind)


def _refused(title: str, found: str, expected: str, remedy: str) -> RefusedError:
    return RefusedError(title, found=found, expected=expected, remedy=remedy)
