"""How a table in BigQuery differs from its declaration, and which differences can be mended without losing anything.

Belongs here: the comparison. Does not belong here: making a change, or fetching the table.

The order of columns is not compared, since BigQuery appends; nor is a column that could be NOT NULL and is not, which
is how one is added to a table that has rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audience_pipeline.tables import Column, LogicalType, Table
from audience_pipeline.tables.bigquery import DATASET, primary_key
from audience_pipeline.tables.types import BIGQUERY

if TYPE_CHECKING:
    from google.cloud import bigquery


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: what differs, what was found, what was declared.

    ``statement`` mends it, or ``clustering`` does, which no statement can change. Where there is neither, mending it
    would lose what is stored.
    """

    what: str
    found: str
    expected: str
    statement: str | None = None
    clustering: tuple[str, ...] | None = None

    @property
    def lossless(self) -> bool:
        """Whether it can be mended without losing anything."""
        return self.statement is not None or self.clustering is not None

    def __str__(self) -> str:
        """Render what was found and expected."""
        return f"{self.what} {self.found} instead of {self.expected}"


def differences(table: Table, found: "bigquery.Table") -> list[Difference]:
    """Compare a stored table with its declaration."""
    return [*_columns(table, found), *_partitioning(table, found), *_clustering(table, found), *_key(table, found)]


def _columns(table: Table, found: "bigquery.Table") -> Iterator[Difference]:
    stored = {field.name: field for field in found.schema}
    alter = f"ALTER TABLE `{DATASET}.{table.name}`"
    for column in table.columns:
        field = stored.pop(column.name, None)
        what, kind = f"column {column.name}", BIGQUERY[column.type]
        if field is None:
            yield Difference(what, "nothing", kind, f"{alter} ADD COLUMN IF NOT EXISTS {column.name} {kind}")
        elif (actual := _type(field)) != kind:
            yield Difference(what, actual, kind)
        elif field.mode == "REQUIRED" and not _required(column):
            relaxed = f"{alter} ALTER COLUMN {column.name} DROP NOT NULL"
            yield Difference(what, f"{kind} NOT NULL", kind, relaxed)
    for name, field in stored.items():
        yield Difference(f"column {name}", _type(field), "no such column")


def _required(column: Column) -> bool:
    return column.required and column.type is not LogicalType.STRINGS


def _type(field: "bigquery.SchemaField") -> str:
    """Return a column's type under the name it has in SQL."""
    legacy = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}
    kind = legacy.get(field.field_type, field.field_type)
    return f"ARRAY<{kind}>" if field.mode == "REPEATED" else kind


def _partitioning(table: Table, found: "bigquery.Table") -> Iterator[Difference]:
    """Yield the difference in partitioning, which is for ever: rows would have to move to another table."""
    expected = "DATE(created_at)" if table.by_month else "none"
    actual = "none"
    if found.range_partitioning is not None:
        actual = f"ranges of {found.range_partitioning.field}"
    elif (by := found.time_partitioning) is not None:
        actual = f"DATE({by.field})" if by.type_ == "DAY" and by.field else f"{by.type_} of {by.field or 'arrival'}"
    if actual != expected:
        yield Difference("partitioning", actual, expected)


def _clustering(table: Table, found: "bigquery.Table") -> Iterator[Difference]:
    expected, actual = ", ".join(table.cluster_by), ", ".join(found.clustering_fields or ())
    if actual != expected:
        yield Difference("clustering", actual or "none", expected or "none", clustering=table.cluster_by)


def _key(table: Table, found: "bigquery.Table") -> Iterator[Difference]:
    constraints = found.table_constraints
    stored = constraints.primary_key if constraints is not None else None
    actual, expected = ", ".join(stored.columns) if stored is not None else "none", primary_key(table)
    if actual != expected:
        alter = f"ALTER TABLE `{DATASET}.{table.name}`"
        drop = "" if stored is None else f"{alter} DROP PRIMARY KEY;\n"
        yield Difference("primary key", actual, expected, f"{drop}{alter} ADD PRIMARY KEY ({expected}) NOT ENFORCED")
