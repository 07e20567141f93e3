"""The logical type vocabulary, and one flat table a backend.

Belongs here: the five types a documented column may have, and what each is called in DuckDB and BigQuery (pyarrow
has :mod:`.arrow`, so that reading a declaration imports nothing heavy). Does not belong here: which column has which
type (that is declared with its table).

Source: the pyarrow schemas and the BigQuery DDL of the requirement. Timestamps are UTC milliseconds without a zone in
Parquet, because that is what the requirement's files hold.
"""

from enum import Enum


class LogicalType(Enum):
    """What a column holds, independent of the backend that stores it."""

    STRING = "string"
    TIMESTAMP = "timestamp"
    INT64 = "int64"
    STRINGS = "strings"
    JSON = "json"


DUCKDB: dict[LogicalType, str] = {
    LogicalType.STRING: "VARCHAR",
    LogicalType.TIMESTAMP: "TIMESTAMP",
    LogicalType.INT64: "BIGINT",
    LogicalType.STRINGS: "VARCHAR[]",
    LogicalType.JSON: "JSON",
}

BIGQUERY: dict[LogicalType, str] = {
    LogicalType.STRING: "STRING",
    LogicalType.TIMESTAMP: "TIMESTAMP",
    LogicalType.INT64: "INT64",
    LogicalType.STRINGS: "ARRAY<STRING>",
    LogicalType.JSON: "JSON",
}
