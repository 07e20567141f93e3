"""The agenda on BigQuery: asked of the rows themselves.

Belongs here: the two questions. Does not belong here: what puts a row on the agenda, which its declaration says.
"""

from collections.abc import Sequence
from datetime import datetime

from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.storage.contract import Due, Pair
from audience_pipeline.tables import Table


def due(
    warehouse: Warehouse, table: Table, now: datetime, statuses: Sequence[str] | None, limit: int, *, held: bool
) -> list[Due]:
    """Return what is due; see the contract."""
    agenda = table.agenda
    if agenda is None:
        return []
    later = "" if held else ", IFNULL(later, due)"
    text = statement(
        "due",
        table=table.name,
        key=table.key,
        due=f"GREATEST(created_at, {', '.join(f'IFNULL({_moment(path)}, created_at)' for path in agenda.due)})",
        later=_moment(agenda.later),
        due_at=f"IF(is_open, GREATEST(due{later}), later)",
    )
    parameters = {
        "now": now,
        "open_statuses": list(agenda.open),
        "some_statuses": statuses is not None,
        "statuses": list(statuses or ()),
        "row_limit": limit,
    }
    found = warehouse.run(text, parameters, object=f"table {table.name}", operation="due").arrow()
    return [Due(*row.values()) for row in found.to_pylist()]


def pairs(
    warehouse: Warehouse, table: Table, platform_ids: Sequence[str], audience_ids: Sequence[str] | None
) -> list[Pair]:
    """Return pairs; see the contract."""
    parameters = {
        "platforms": list(platform_ids),
        "open_statuses": list(table.agenda.open if table.agenda else ()),
        "some_audiences": audience_ids is not None,
        "audiences": list(audience_ids or ()),
    }
    text = statement("pairs", table=table.name, archive=table.archive or table.name, key=table.key)
    found = warehouse.run(text, parameters, object=f"table {table.name}", operation="pairs").arrow()
    return [Pair(*row.values()) for row in found.to_pylist()]


def _moment(path: str) -> str:
    """Return what makes the moment at a dotted path, null where there is none."""
    column, _, member = path.partition(".")
    return f"TIMESTAMP(JSON_VALUE({column}, '$.{member}'))" if member else column
