"""How large the tables of a demo are, in what their backend counts: files, or partitions.

Belongs here: counting. Does not belong here: what Dagster reports of a materialization, which is of its slice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from audience_pipeline.tables import Table

if TYPE_CHECKING:
    from audience_pipeline.storage.bigquery.client import Warehouse
    from audience_pipeline.storage.bigquery.store import BigQueryStore
    from audience_pipeline.storage.parquet.store import ParquetStore


@dataclass(frozen=True, slots=True)
class Size:
    """How large a table is.

    ``parts`` are its files or partitions, None where it is not cut into any; ``bytes`` is None on an emulator, which
    makes them up.
    """

    table: str
    rows: int
    users: int
    parts: int | None
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of several tables, and what their parts are called."""

    parts: str
    tables: Sequence[Size]


def sizes(store: "ParquetStore | BigQueryStore", tables: Sequence[Table]) -> Sizes:
    """Return the sizes of tables of a store of either backend."""
    from audience_pipeline.storage.parquet.store import ParquetStore  # noqa: PLC0415 - a demo's help needs none of it

    if isinstance(store, ParquetStore):
        return Sizes("files", [_of_files(store, table) for table in tables])
    return Sizes("partitions", _of_dataset(store.warehouse, tables))


def _of_files(store: "ParquetStore", table: Table) -> Size:
    files = store.files(table)
    rows, users = 0, 0
    if files:
        counts = "SELECT count(*), count(DISTINCT user_id) FROM read_parquet($files, hive_partitioning = false)"
        rows, users = store.cursor().sql(counts, params={"files": files}).fetchall()[0]
    return Size(table.name, rows, users, len(files), sum(Path(file).stat().st_size for file in files))


def _of_dataset(warehouse: "Warehouse", tables: Sequence[Table]) -> list[Size]:
    """Count in one statement, whatever the number of tables; their bytes are the service's own figure."""
    from audience_pipeline.storage.bigquery.statements import statement  # noqa: PLC0415 - one backend is used

    day = {True: "DATE(created_at)", False: "NULL"}
    texts = [statement("sizes", table=table.name, partition=day[table.by_month]) for table in tables]
    found = warehouse.run("UNION ALL\n".join(texts), object=f"dataset {warehouse.dataset}", operation="demo").arrow()
    counts = {row.pop("table_name"): row for row in found.to_pylist()}
    return [
        Size(
            table.name,
            counts[table.name]["row_count"],
            counts[table.name]["users"],
            counts[table.name]["partitions"] if table.by_month else None,
            _bytes(warehouse, table),
        )
        for table in tables
    ]


def _bytes(warehouse: "Warehouse", table: Table) -> int | None:
    if warehouse.emulated:
        return None
    name = warehouse.name(table.name)
    with warehouse.errors(f"table {name}"):
        return int(warehouse.client.get_table(name, retry=warehouse.retry).num_bytes or 0)
