"""Staged rows: what an upsert brings, loaded as they are into a table of their own that expires by itself.

Belongs here: making, filling and dropping such tables. Does not belong here: what becomes of the rows. JSON is staged
as text, because the service loads no Parquet into JSON columns. A client that dies leaves a table that nobody reads.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
import polars as pl
import pyarrow as pa

from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.fragments import engine_part
from audience_pipeline.storage.months import MONTH as FRAME_MONTH
from audience_pipeline.storage.rules import ROW as FRAME_ROW
from audience_pipeline.storage.rules import version_of
from audience_pipeline.tables import POSITION, Column, LogicalType, Table
from audience_pipeline.tables.canonical import application_digests

if TYPE_CHECKING:
    from google.cloud import bigquery

PREFIX = "staging_"
ROW, MONTH, DIGEST, VERSION = "staged_row", "staged_month", "staged_digest", "staged_version"
"""What is staged beside a table's columns: the row's index in the frame, its month, digest and version."""
LIFETIME = timedelta(days=2)
"""How long staged rows are kept that nobody dropped: longer than any upsert takes, or a landing is left unfinished."""

_TYPES = {
    LogicalType.STRING: ("STRING", pa.string()),
    LogicalType.JSON: ("STRING", pa.string()),
    LogicalType.INT64: ("INT64", pa.int64()),
    LogicalType.STRINGS: ("STRING", pa.list_(pa.string())),
    LogicalType.TIMESTAMP: ("TIMESTAMP", pa.timestamp("ms", "UTC")),
}
_ENCODER = msgspec.json.Encoder(order="sorted")


@contextmanager
def staged(warehouse: Warehouse, table: Table, frame: pl.DataFrame) -> Iterator[str]:
    """Stage a prepared frame for the time of a block; yields the name of the staging table."""
    name = f"{PREFIX}{table.name}_{uuid4().hex}"
    rows = _with_parts(table, frame)
    columns = [*_columns(table), *_extra()]
    with loaded(warehouse, name, rows, columns):
        yield name


@contextmanager
def loaded(warehouse: Warehouse, name: str, rows: pl.DataFrame, columns: Sequence[Column]) -> Iterator[None]:
    """Load columns of a frame into a staging table of this ``name`` for the time of a block."""
    create(warehouse, name, columns)
    try:
        warehouse.load(to_arrow(rows, columns), name, schema_of(columns), operation="stage", job_id=f"load_{name}")
        yield
    finally:
        drop(warehouse, name)


def create(warehouse: Warehouse, name: str, columns: Sequence[Column]) -> None:
    """Make an empty staging table that expires by itself; one that is there already stays as it is."""
    make(warehouse, name, schema_of(columns))


def make(warehouse: Warehouse, name: str, schema: "Sequence[bigquery.SchemaField]") -> None:
    """Make the same of a schema that no declaration has."""
    from google.cloud import bigquery

    made = bigquery.Table(warehouse.name(name), schema=schema)
    made.expires = datetime.now(UTC) + LIFETIME
    with warehouse.errors(f"table {name}"):
        warehouse.client.create_table(made, exists_ok=True, retry=warehouse.retry)


def drop(warehouse: Warehouse, name: str) -> None:
    """Drop a staging table, if it is there."""
    with warehouse.errors(f"table {name}"):
        warehouse.client.delete_table(warehouse.name(name), not_found_ok=True, retry=warehouse.retry)


def schema_of(columns: Sequence[Column]) -> "list[bigquery.SchemaField]":
    """Return the schema columns are staged under."""
    from google.cloud import bigquery

    return [
        bigquery.SchemaField(
            column.name,
            _TYPES[column.type][0],
            mode="REPEATED" if column.type is LogicalType.STRINGS else "NULLABLE",
        )
        for column in columns
    ]


def to_arrow(frame: pl.DataFrame, columns: Sequence[Column]) -> pa.Table:
    """Return columns of a frame, typed as they are staged: moments with a zone, else they are loaded as DATETIME."""
    times = [pl.col(each.name).dt.replace_time_zone("UTC") for each in columns if each.type is LogicalType.TIMESTAMP]
    rows = frame.with_columns(times).select(each.name for each in columns)
    schema = pa.schema([(each.name, _TYPES[each.type][1]) for each in columns])
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)


def _columns(table: Table) -> list[Column]:
    """Return a table's columns and, after each JSON column the engine shares, one for the engine's members."""
    columns = []
    for column in table.columns:
        columns.append(column)
        if column.engine_members:
            columns.append(Column(engine_part(column), LogicalType.STRING, "The engine's members."))
    return columns


def _extra() -> list[Column]:
    return [
        Column(ROW, LogicalType.INT64, "The row's index in the frame."),
        Column(MONTH, LogicalType.INT64, "Its month."),
        Column(POSITION, LogicalType.INT64, "Where it landed, if it did."),
        Column(DIGEST, LogicalType.STRING, "What ties are broken by."),
        Column(VERSION, LogicalType.TIMESTAMP, "Its version, if it has one."),
    ]


def _with_parts(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Add row, month, digest and version under their staged names, and cut shared JSON in two."""
    digests = [digest.hex() for digest in application_digests(table, frame.select(table.column_names).to_arrow())]
    frame = frame.with_columns(
        pl.col(FRAME_ROW).cast(pl.Int64).alias(ROW),
        pl.col(FRAME_MONTH).cast(pl.Int64).alias(MONTH),
        pl.Series(DIGEST, digests, pl.String),
        version_of(table).alias(VERSION),
    )
    for column in table.columns:
        if column.engine_members:
            parts = [_parts(column, text) for text in frame[column.name]]
            application, engine = ([part[which] for part in parts] for which in (0, 1))
            frame = frame.with_columns(
                pl.Series(column.name, application, pl.String), pl.Series(engine_part(column), engine, pl.String)
            )
    return frame


def _parts(column: Column, text: str | None) -> tuple[str | None, str | None]:
    """Return the application's and the engine's members of a canonical text, each without braces, None for none."""
    members = msgspec.json.decode(text) if text is not None else {}
    engine = {name: value for name, value in members.items() if name in column.engine_members}
    return _inside({name: value for name, value in members.items() if name not in engine}), _inside(engine)


def _inside(members: Mapping[str, Any]) -> str | None:
    return _ENCODER.encode(members).decode()[1:-1] if members else None
