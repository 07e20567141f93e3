"""polars types and string patterns derived from the declarations' vocabulary.

Belongs here: what each logical type and format is to polars. Does not belong here: any table, or any frame.
"""

import polars as pl

from audience_pipeline.tables.declaration import Format
from audience_pipeline.tables.types import LogicalType

TYPES: dict[LogicalType, pl.DataType] = {
    LogicalType.STRING: pl.String(),
    LogicalType.TIMESTAMP: pl.Datetime("ms"),
    LogicalType.INT64: pl.Int64(),
    LogicalType.STRINGS: pl.List(pl.String()),
    LogicalType.JSON: pl.String(),
}
"""The polars type of each logical type, as the tables' files read."""

PATTERNS: dict[Format, str] = {
    Format.UUID: r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    Format.SNAKE: r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$",
}
"""The stored form of each format: UUIDs are in lower case once they are stored."""
