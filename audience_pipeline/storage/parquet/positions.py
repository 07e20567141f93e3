"""Landed positions found again when the state is rebuilt: which landed record it is whose content a key holds.

Belongs here: comparing what is stored with what landed, by content. Does not belong here: what positions decide
(`audience_pipeline.storage.rules`).

A key holds the content of the newest landed record that says the same. Where none does, its row was written directly,
or its landed part is lost; it then counts as written after everything that landed so far. So folding old records again
changes no such row, and what lands from now on does. The price: of such a key, a record that had landed and was not
folded yet when the state was lost stays without effect, and the fold counts it as stale.
"""

import sqlite3

import polars as pl
import pyarrow as pa

from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.parquet.state import PLACED, State
from audience_pipeline.tables import LANDED, POSITION, TABLES, Table
from audience_pipeline.tables.canonical import application_digests
from audience_pipeline.tables.landed import LINES_PER_FILE

_CONTENT = "CREATE TEMP TABLE IF NOT EXISTS content (tbl TEXT, key TEXT, digest BLOB, PRIMARY KEY (tbl, key))"
_LANDED = (
    "UPDATE keys SET position = max(position, ?) WHERE tbl = ? AND key = ?"
    " AND (tbl, key, ?) IN (SELECT tbl, key, digest FROM content)"
)
_NEWEST = "UPDATE keys SET position = ? WHERE tbl = ? AND phase = ? AND position = 0"


def has_positions(table: Table) -> bool:
    """Return whether positions ever decide anything in a stored table: its rows, or some, carry no version."""
    source = index_of(table)
    return source.name in LANDED and (source.version is None or "." in source.version)


def note_stored(db: sqlite3.Connection, table: Table, rows: pl.DataFrame) -> None:
    """Keep the digests of stored rows, until :func:`settle_positions` has used them."""
    source = index_of(table)
    digests = application_digests(source, rows.select(source.column_names).to_arrow())
    db.execute(_CONTENT)
    db.executemany(
        "INSERT OR REPLACE INTO content VALUES (?, ?, ?)",
        [(source.name, key, digest) for key, digest in zip(rows[source.key], digests, strict=True)],
    )


def note_landed(db: sqlite3.Connection, source: Table, rows: pa.Table) -> None:
    """Give the keys whose stored content is that of a landed record the record's position; the newest counts."""
    db.execute(_CONTENT)
    digests = application_digests(source, rows.select(source.column_names))
    columns = (rows.column(POSITION).to_pylist(), rows.column(source.key).to_pylist(), digests)
    db.executemany(
        _LANDED, [(position, source.name, key, digest) for position, key, digest in zip(*columns, strict=True)]
    )


def settle_positions(state: State) -> None:
    """Put the keys whose content did not land after everything that did."""
    with state.transaction() as db:
        newest = state.next_number(db) * LINES_PER_FILE
        for source in filter(has_positions, map(TABLES.__getitem__, LANDED)):
            db.execute(_NEWEST, (newest, source.name, PLACED))
