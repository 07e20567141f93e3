"""Move rows between a live table and its archive, in one transaction.

Belongs here: running it. Does not belong here: which rows are old enough. A reader of both tables sees each row once.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from audience_pipeline.storage.archives import check_move, index_of
from audience_pipeline.storage.bigquery.attempts import until_not_overtaken
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.fragments import names, within
from audience_pipeline.storage.bigquery.queries import bounds, key_months, portions
from audience_pipeline.storage.bigquery.rules import phase_of
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.storage.contract import MoveResult
from audience_pipeline.tables import KEYS, Table


def move(warehouse: Warehouse, source: Table, target: Table, keys: Sequence[str], put: Mapping[str, Any]) -> MoveResult:
    """Move the rows of ``keys``; ``put`` gives values for columns only ``target`` has."""
    check_move(source, target, put)
    moved = [key for portion in portions(keys) for key in _move(warehouse, source, target, portion, put)]
    gone = set(moved)
    return MoveResult(tuple(moved), {key: f"not in {source.name}" for key in keys if key not in gone})


def _move(warehouse: Warehouse, source: Table, target: Table, keys: list[str], put: Mapping[str, Any]) -> list[str]:
    span = key_months(warehouse, source, keys)
    if span is None:
        return []
    text = statement(
        "move",
        source=source.name,
        target=target.name,
        index=KEYS[index_of(source).name].name,
        key=source.key,
        phase=phase_of(target),
        columns=names(target.column_names),
        values=", ".join(f"@put_{name}" if name in put else f"t.`{name}`" for name in target.column_names),
        within=within(source, "t"),
    )
    parameters = {"keys": keys, **bounds(source, span), **{f"put_{name}": value for name, value in put.items()}}
    job = f"move_{uuid4().hex}"
    found = until_not_overtaken(
        lambda attempt: warehouse.run(
            text, parameters, object=f"table {source.name}", operation="move", job_id=f"{job}_{attempt}"
        ).arrow()
    )
    moved: list[str] = found.column("moving_key").to_pylist()
    return moved
