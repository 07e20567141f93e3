"""Take over rows of another store: one load job and one query job, all of them or none.

Belongs here: the two verbs, `keys` and `restore`. Does not belong here: what may be taken over
(:mod:`audience_pipeline.storage.restoring`). Rows are staged beside what the other index says of their keys, so that
the transaction writes both.
"""

from uuid import uuid4

import polars as pl
import pyarrow as pa

from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.bigquery import index, staging
from audience_pipeline.storage.bigquery.attempts import until_not_overtaken
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.fragments import names, staged_value
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.storage.restoring import KEY_SCHEMA, check_restored, phase_of_rows
from audience_pipeline.storage.rules import version_of
from audience_pipeline.tables import KEYS, Column, LogicalType, Table
from audience_pipeline.tables.bookkeeping import ACCEPTED
from audience_pipeline.tables.canonical import application_digests
from audience_pipeline.tables.landed import LINES_PER_FILE

_PREFIX = "known_"
"""Before the names of the index's columns, in the staging table."""


def keys(warehouse: Warehouse, table: Table) -> pa.Table:
    """Return what the index says of a table's keys; see the contract."""
    name = KEYS[index_of(table).name].name
    phases = [phase_of_rows(table), *([ACCEPTED] if index_of(table) is table else [])]
    text = statement("keys", columns=names(KEY_SCHEMA.names), index=name)
    found = warehouse.run(text, {"phases": phases}, object=f"table {name}", operation="copy").arrow()
    return found.select(KEY_SCHEMA.names).cast(KEY_SCHEMA)


def restore(warehouse: Warehouse, table: Table, frame: pl.DataFrame, known: pl.DataFrame) -> None:
    """Write a prepared frame of rows that are not here, and note what another index knows of them and of other keys."""
    check_restored(table, frame, known, index.placements(warehouse, table, known["key"].to_list()))
    columns = [*table.columns, *_known_columns(table)]
    name = f"{staging.PREFIX}restored_{table.name}_{uuid4().hex}"
    with staging.loaded(warehouse, name, _joined(table, frame, known), columns):
        until_not_overtaken(
            lambda attempt: warehouse.run(
                _script(table, name),
                object=f"table {table.name}",
                operation="copy",
                job_id=f"restore_{name}_{attempt}",
            )
        )


def _known_columns(table: Table) -> list[Column]:
    """Return the columns of an index as they are staged."""
    declared = KEYS[index_of(table).name].columns
    return [Column(f"{_PREFIX}{column.name}", column.type, column.doc) for column in declared]


def _joined(table: Table, frame: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each known key, with the row to be written where there is one, its digest and its version."""
    source = index_of(table)
    digests = [digest.hex() for digest in application_digests(source, frame.select(source.column_names).to_arrow())]
    measured = frame.select(
        *table.column_names,
        pl.col(table.key).alias(f"{_PREFIX}key"),
        pl.Series(f"{_PREFIX}digest", digests, pl.String),
        version_of(source).alias(f"{_PREFIX}version"),
    )
    renamed = known.rename({name: f"{_PREFIX}{name}" for name in KEY_SCHEMA.names})
    joined = renamed.join(measured, on=f"{_PREFIX}key", how="left")
    return joined.with_columns(pl.col(each.name).fill_null([]) for each in table.of_type(LogicalType.STRINGS))


def _script(table: Table, name: str) -> str:
    return statement(
        "restore",
        table=table.name,
        index=KEYS[index_of(table).name].name,
        staging=name,
        columns=names(table.column_names),
        values=", ".join(staged_value(column, "s", "s", whole=True) for column in table.columns),
        lines_per_file=str(LINES_PER_FILE),
    )
