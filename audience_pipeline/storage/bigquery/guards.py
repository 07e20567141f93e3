"""Rows that come with a guard: a hash of the whole row as it is stored, to tell later whether it is still the same.

Belongs here: reading them. Does not belong here: what is done to rows whose guard still holds. Rows are compared here
and not in SQL, because the service keeps the members of a JSON value in an order of its own.
"""

from collections.abc import Sequence
from typing import Any

from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.fragments import output, within
from audience_pipeline.storage.bigquery.queries import bounds, portions, typed
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.tables import Table

GUARD = "row_guard"
Row = dict[str, Any]


def guarded(
    warehouse: Warehouse, table: Table, keys: Sequence[str], span: tuple[int, int], *, operation: str
) -> dict[str, Row]:
    """Return rows by key, each with its guard; ``span`` are the first and the last month they are looked for in."""
    columns = ", ".join(output(column, "t") for column in table.columns)
    text = statement("guarded", columns=columns, table=table.name, key=table.key, within=within(table, "t"))
    read: dict[str, Row] = {}
    for portion in portions(keys):
        parameters = {"keys": portion, **bounds(table, span)}
        found = warehouse.run(text, parameters, object=f"table {table.name}", operation=operation).arrow()
        rows = typed(table, table.column_names, found).to_pylist()
        guards = found.column(GUARD).to_pylist()
        read |= {row[table.key]: {**row, GUARD: guard} for row, guard in zip(rows, guards, strict=True)}
    return read
