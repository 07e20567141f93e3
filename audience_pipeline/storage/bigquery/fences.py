"""The fences: one row in each table of the bookkeeping, which every writer that inserts into it updates.

Belongs here: making them, once, when the tables are made, and finding missing ones. Does not belong here: updating
them.

A table's fence is made by the script that makes the table. Later only an account that sees all its rows may look for
it: whoever runs `migrate` is filtered by the row access policies, would find none, and would make another.
"""

from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.fragments import names
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.tables import BOOKKEEPING, LogicalType, Table
from audience_pipeline.tables.bookkeeping import FENCE

_ABSENT = {
    LogicalType.STRING: "''",
    LogicalType.INT64: "0",
    LogicalType.TIMESTAMP: "TIMESTAMP_MILLIS(0)",
}


def make_fences(warehouse: Warehouse) -> None:
    """Insert the fences that are missing, in one job; safe to repeat."""
    text = ";\n".join(fence(table) for table in BOOKKEEPING)
    warehouse.run(text, object=f"dataset {warehouse.dataset}", operation="migrate")


def unfenced(warehouse: Warehouse) -> list[str]:
    """Return the names of the tables whose fence is missing."""
    texts = [statement("fences", table=table.name, key=table.key, absent=_absent(table)) for table in BOOKKEEPING]
    found = warehouse.run("UNION ALL\n".join(texts), object=f"dataset {warehouse.dataset}", operation="verify").arrow()
    return [row["name"] for row in found.to_pylist() if not row["n"]]


def _absent(table: Table) -> str:
    """Return the key of a table's fence."""
    return _ABSENT[table.by_name[table.key].type]


def fence(table: Table) -> str:
    """Return the statement that inserts the fence of a table of the bookkeeping, unless it is there."""
    required = [column for column in table.columns if column.required]
    values = [f"'{FENCE}'" if FENCE in column.values else _ABSENT[column.type] for column in required]
    return statement(
        "fence",
        table=table.name,
        columns=names(column.name for column in required),
        values=", ".join(values),
        key=table.key,
        absent=_absent(table),
    )
