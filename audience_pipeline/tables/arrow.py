"""pyarrow schemas derived from the declarations; they equal the documented ones field by field."""

from functools import cache

import pyarrow as pa

from audience_pipeline.tables.declaration import Table
from audience_pipeline.tables.types import LogicalType

TYPES: dict[LogicalType, pa.DataType] = {
    LogicalType.STRING: pa.string(),
    LogicalType.TIMESTAMP: pa.timestamp("ms"),
    LogicalType.INT64: pa.int64(),
    LogicalType.STRINGS: pa.list_(pa.string()),
    LogicalType.JSON: pa.string(),
}


@cache
def arrow_schema(table: Table) -> pa.Schema:
    """Return the schema of ``table``'s Parquet files: declared order, nullable fields, UTC ms without a zone."""
    return pa.schema([pa.field(column.name, TYPES[column.type]) for column in table.columns])


def empty(table: Table) -> pa.Table:
    """Return ``table`` with no rows: empty is data, and typed."""
    return without_rows(arrow_schema(table))


def without_rows(schema: pa.Schema) -> pa.Table:
    """Return no rows of ``schema``; its own ``empty_table`` makes arrays from Python values, and imports pandas."""
    return pa.Table.from_batches([], schema)
