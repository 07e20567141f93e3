"""Declared tables as outputs and inputs of assets: upserted through the store, read back from it.

Belongs here: which declared table an asset's name is, and what a write reports. Does not belong here: any rule about
rows; there is no way round the store's. Landed tables are read here and never written: only landing appends to them.
"""

import pyarrow as pa

from audience_pipeline.errors import UsageError
from audience_pipeline.io_managers.slices import Slice
from audience_pipeline.storage.contract import Query, TableStore, UpsertResult
from audience_pipeline.tables import LANDED, SOURCES, TABLES, Table
from audience_pipeline.tables.canonical import content_digest

_SOURCE_OF = {landed.name: TABLES[name] for name, landed in LANDED.items()}


def declared_table(slice_: Slice) -> Table | None:
    """Return the declared table of the slice's name; None for an asset of a user's own."""
    return TABLES.get(slice_.name) if len(slice_.path) == 1 else None


def read(store: TableStore, table: Table, slice_: Slice) -> pa.Table:
    """Return the rows of the slice, with the columns asked for."""
    if table.name not in _SOURCE_OF:
        return store.read(table, Query(columns=slice_.columns, months=slice_.months))
    rows = store.landing.read(_SOURCE_OF[table.name], months=slice_.months)
    return rows.select(list(slice_.columns)) if slice_.columns else rows


def upsert(store: TableStore, table: Table, rows: pa.Table) -> UpsertResult:
    """Upsert ``rows``.

    Raises:
        UsageError: nobody but the engine writes this table.
        RefusedError: the frame breaks the declaration.
    """
    if table not in SOURCES:
        asset = f"asset {table.name}"
        raise UsageError(
            asset,
            found="a frame for a table the engine keeps",
            expected=f"one of {', '.join(source.name for source in SOURCES)}, or a name no table has",
            remedy="Rename the asset.",
        )
    return store.upsert(table, rows)


def measure(store: TableStore, table: Table, slice_: Slice) -> tuple[int, str]:
    """Return the rows and the content digest of the slice as it is stored now."""
    rows = store.read(table, Query(months=slice_.months))
    return rows.num_rows, content_digest(table, rows)
