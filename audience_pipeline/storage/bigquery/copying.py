"""Copy rows between a live table and its archive, and remove what the other has, each in one transaction.

Belongs here: running them. Does not belong here: which rows are old enough, or how long readers are given between them.
"""

from collections.abc import Mapping, Sequence
from uuid import uuid4

import polars as pl

from audience_pipeline.errors import CorruptionError
from audience_pipeline.storage.archives import copied, index_of, removed, twin
from audience_pipeline.storage.bigquery.attempts import until_not_overtaken
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.fragments import month_value, names, staged_value, within
from audience_pipeline.storage.bigquery.guards import GUARD, guarded
from audience_pipeline.storage.bigquery.queries import bounds, key_months, portions, read
from audience_pipeline.storage.bigquery.rules import phase_of
from audience_pipeline.storage.bigquery.staging import MONTH, PREFIX, loaded
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.storage.contract import Home, MoveResult, Predicate, Query
from audience_pipeline.storage.months import LAST_MONTH
from audience_pipeline.storage.months import MONTH as FRAME_MONTH
from audience_pipeline.tables import KEYS, Column, LogicalType, Table
from audience_pipeline.tables.bookkeeping import PLACED

_ROWS_AT_ONCE = 10_000


def copy(warehouse: Warehouse, target: Table, rows: pl.DataFrame) -> MoveResult:
    """Write a prepared frame of rows beside those of the other table; see the contract."""
    rows = rows.unique(target.key, keep="last", maintain_order=True)
    moved: list[str] = []
    for portion in rows.iter_slices(_ROWS_AT_ONCE):
        moved += _copy(warehouse, target, portion)
    return copied(target, rows[target.key].to_list(), moved)


def remove(warehouse: Warehouse, source: Table, keys: Sequence[str]) -> MoveResult:
    """Remove rows the other table has, too; see the contract."""
    moved = [key for portion in portions(keys) for key in _remove(warehouse, source, portion)]
    return removed(source, keys, moved)


def homes(warehouse: Warehouse, table: Table, months: tuple[int, int] | None) -> list[Home]:
    """Return the users and months that have rows; see the contract."""
    span = months if table.by_month else None
    text = statement(
        "homes", table=table.name, month=month_value(table), within=within(table, "t") if span is not None else ""
    )
    parameters = bounds(table, (max(span[0], 1_01), min(span[1], LAST_MONTH))) if span is not None else {}
    found = warehouse.run(text, parameters, object=f"table {table.name}", operation="read").arrow().to_pylist()
    return [Home(row["user_id"], int(row["month"]), int(row["row_count"])) for row in found]


def _copy(warehouse: Warehouse, target: Table, rows: pl.DataFrame) -> list[str]:
    columns = [*target.columns, Column(MONTH, LogicalType.INT64, "Its month.")]
    name = f"{PREFIX}copied_{target.name}_{uuid4().hex}"
    months = rows[FRAME_MONTH]
    with loaded(warehouse, name, rows.with_columns(months.cast(pl.Int64).alias(MONTH)), columns):
        text = statement(
            "copy",
            target=target.name,
            staging=name,
            index=KEYS[index_of(target).name].name,
            key=target.key,
            home=phase_of(twin(target)),
            phase=PLACED,
            columns=names(target.column_names),
            values=", ".join(staged_value(column, "s", "s", whole=True) for column in target.columns),
            within=within(target, "t"),
        )
        span = (int(months.min()), int(months.max()))  # type: ignore[arg-type]
        moved = _run(warehouse, target, text, bounds(target, span), "arriving_key")
    _check(warehouse, target, rows.filter(pl.col(target.key).is_in(moved)), span)
    return moved


def _check(warehouse: Warehouse, target: Table, written: pl.DataFrame, span: tuple[int, int]) -> None:
    """Read rows back: what is not there as it was written may not leave the other table."""
    query = Query(months=span, where=[Predicate(target.key, "in", written[target.key].to_list())])
    found = pl.DataFrame(pl.from_arrow(read(warehouse, target, query))).sort(target.key)
    if not found.equals(written.select(target.column_names).sort(target.key)):
        raise CorruptionError(
            target.name,
            found="rows that differ from what was written",
            expected=f"the {written.height} rows as they were written",
            remedy="Nothing left the other table. Run `audience-pipeline verify`, then repeat.",
        )


def _remove(warehouse: Warehouse, source: Table, keys: list[str]) -> list[str]:
    index, other = index_of(source), twin(source)
    span = key_months(warehouse, index, keys)
    if span is None:
        return []
    text = statement(
        "remove",
        source=source.name,
        twin=other.name,
        index=KEYS[index.name].name,
        key=source.key,
        phase=phase_of(twin(index) if index is source else index),
        within=within(source, "t"),
        within_twin=within(other, "o"),
    )
    guards = _guards(warehouse, source, keys, span)
    if not guards:
        return []
    here, there = zip(*guards.values(), strict=True)
    parameters = {"keys": list(guards), "guards": list(here), "twin_guards": list(there), **bounds(source, span)}
    return _run(warehouse, source, text, parameters, "leaving_key")


def _guards(warehouse: Warehouse, source: Table, keys: list[str], span: tuple[int, int]) -> dict[str, tuple[str, str]]:
    """Return the keys whose rows may leave, with the guards of their rows in both tables."""
    here, there = (guarded(warehouse, each, keys, span, operation="move") for each in (source, twin(source)))
    compared = source.column_names if index_of(source) is source else ()
    return {
        key: (row[GUARD], there[key][GUARD])
        for key, row in here.items()
        if key in there and all(row[name] == there[key][name] for name in compared)
    }


def _run(warehouse: Warehouse, table: Table, text: str, parameters: Mapping[str, object], column: str) -> list[str]:
    """Run a script until no other writer overtakes it; return the keys in a column of its last result."""
    job = f"{column}_{uuid4().hex}"
    found = until_not_overtaken(
        lambda attempt: warehouse.run(
            text, parameters, object=f"table {table.name}", operation="move", job_id=f"{job}_{attempt}"
        ).arrow()
    )
    keys: list[str] = found.column(column).to_pylist()
    return keys
