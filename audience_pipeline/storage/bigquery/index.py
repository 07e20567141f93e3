"""The key index: where each key lives, known to every machine.

Belongs here: asking it, and reserving keys in it. Does not belong here: what an upsert or a move notes in it, which
they do in their own transactions.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.bigquery.attempts import until_not_overtaken
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.queries import portions
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.storage.contract import Placement
from audience_pipeline.storage.months import month_of
from audience_pipeline.tables import KEYS, Table
from audience_pipeline.tables.bookkeeping import ACCEPTED, ARCHIVED


def placements(warehouse: Warehouse, table: Table, keys: Sequence[str]) -> dict[str, Placement]:
    """Return where the known ones of ``keys`` live."""
    found: dict[str, Placement] = {}
    for portion in portions(keys):
        text = statement("placements", index=_name(table))
        rows = warehouse.run(text, {"keys": portion}, object=f"table {_name(table)}", operation="placements").arrow()
        found |= _placed(rows.to_pylist())
    return found


def reserve(
    warehouse: Warehouse, table: Table, places: Mapping[str, tuple[str, int]], now: datetime
) -> dict[str, Placement]:
    """Accept keys at places; return those that live elsewhere."""
    elsewhere: dict[str, Placement] = {}
    for portion in portions(places):
        parameters = {
            "keys": portion,
            "users": [places[key][0] for key in portion],
            "months": [places[key][1] for key in portion],
            "accepted_month": month_of(now),
        }
        elsewhere |= _reserve(warehouse, table, parameters)
    return elsewhere


def _reserve(warehouse: Warehouse, table: Table, parameters: Mapping[str, Any]) -> dict[str, Placement]:
    text = statement("reserve", index=_name(table))
    rows = until_not_overtaken(
        lambda _: warehouse.run(text, parameters, object=f"table {_name(table)}", operation="reserve").arrow()
    )
    return _placed(rows.to_pylist())


def accepted(warehouse: Warehouse, table: Table, user_id: str, month: int) -> int:
    """Return how many keys of a user were first accepted, or written, in a UTC month."""
    return _count(warehouse, table, "accepted", {"user_id": user_id, "month": month})


def waiting(warehouse: Warehouse, table: Table, user_id: str) -> int:
    """Return how many keys of a user were accepted by landing and have no row yet."""
    return _count(warehouse, table, "waiting", {"user_id": user_id})


def _count(warehouse: Warehouse, table: Table, name: str, parameters: Mapping[str, Any]) -> int:
    text = statement(name, index=_name(table))
    rows = warehouse.run(text, parameters, object=f"table {_name(table)}", operation="count").arrow()
    return int(rows.column("n")[0].as_py())


def _name(table: Table) -> str:
    return KEYS[index_of(table).name].name


def _placed(rows: Iterable[Mapping[str, Any]]) -> dict[str, Placement]:
    return {
        row["key"]: Placement(row["user_id"], row["month"], row["phase"] != ACCEPTED, row["phase"] == ARCHIVED)
        for row in rows
    }
