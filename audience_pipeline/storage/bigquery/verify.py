"""Prove the invariants on a real dataset: the tables as declared, every row, and the index against them.

Belongs here: what is checked, and mending the index. Does not belong here: what may be wrong in rows
(:mod:`.inspection`) or in the landing log (:mod:`.landed_findings`). A repair touches the bookkeeping only; rows are
never dropped or changed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.bigquery.attempts import until_not_overtaken
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.drift import differences
from audience_pipeline.storage.bigquery.fences import make_fences, unfenced
from audience_pipeline.storage.bigquery.fragments import month_value
from audience_pipeline.storage.bigquery.inspection import inspect_month, prepared_month
from audience_pipeline.storage.bigquery.landed_findings import landed_findings
from audience_pipeline.storage.bigquery.queries import months, of_month, read
from audience_pipeline.storage.bigquery.rules import phase_of
from audience_pipeline.storage.bigquery.staging import PREFIX, staged
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.storage.contract import Finding
from audience_pipeline.tables import KEYS, LANDED, STORED, TABLES, Reference, Table
from audience_pipeline.tables.bigquery import KEPT

_BACKUP = "Restore it from a snapshot of the table, or bring the table back with `audience-pipeline refold`."
_REPAIR = "Run `audience-pipeline verify --repair`."
_MIGRATE = "Run `audience-pipeline migrate`."
_LIVE = tuple(table for table in STORED if index_of(table) is table)
Row = dict[str, Any]


def verify(warehouse: Warehouse, *, repair: bool) -> list[Finding]:
    """Return all that is wrong, mended where ``repair`` can mend it.

    Tables that differ from their declarations are the only findings: nothing can be read from them for certain.
    """
    if drifted := list(_drift(warehouse)):
        return drifted
    findings = [*_leftovers(warehouse), *_fences(warehouse, repair=repair)]
    findings += _duplicates(warehouse)
    findings += _index(warehouse, repair=repair)
    for table, found in months(warehouse, STORED).items():
        for month in found:
            findings += inspect_month(warehouse, table, month, reindex=_reindex if repair else None)
    return [*findings, *_dangling(warehouse), *landed_findings(warehouse)]


def _drift(warehouse: Warehouse) -> Iterator[Finding]:
    for table in KEPT:
        name = warehouse.name(table.name)
        with warehouse.errors(f"table {name}"):
            found = differences(table, warehouse.client.get_table(name, retry=warehouse.retry))
        for difference in found:
            what, expected = f"{difference.what} {difference.found}", f"{difference.what} {difference.expected}"
            yield Finding("schema", name, what, expected, _MIGRATE)


def _leftovers(warehouse: Warehouse) -> Iterator[Finding]:
    """List staged rows that nobody dropped; harmless, since no reader looks there."""
    with warehouse.errors(f"dataset {warehouse.dataset}"):
        tables = list(warehouse.client.list_tables(warehouse.dataset, retry=warehouse.retry))
    for found in tables:
        if found.table_id.startswith(PREFIX):
            yield Finding(
                "leftover",
                warehouse.name(found.table_id),
                found="rows of a write that is under way or was not finished",
                expected="no staged rows once no writer runs",
                remedy=f"None is needed: it expires at {found.expires:%Y-%m-%d %H:%M} UTC."
                if found.expires
                else f"Drop it once no writer runs: it does not expire by itself. {_MIGRATE}",
                harmless=True,
            )


def _fences(warehouse: Warehouse, *, repair: bool) -> list[Finding]:
    missing = unfenced(warehouse)
    if missing and repair:
        make_fences(warehouse)
    expected = "the row every writer updates"
    return [Finding("fence", warehouse.name(name), "none", expected, _REPAIR, repaired=repair) for name in missing]


def _duplicates(warehouse: Warehouse) -> Iterator[Finding]:
    for row in _rows(warehouse, [statement("duplicates", table=each.name, rows=places(each)) for each in _LIVE]):
        yield Finding(
            "duplicate key",
            f"{row['table_name']} {row['row_key']}",
            found=f"{row['n']} rows",
            expected="one row a key, live and archive together",
            remedy="Delete the older one, then run `audience-pipeline verify --repair`.",
        )


def _index(warehouse: Warehouse, *, repair: bool) -> Iterator[Finding]:
    """Hold each index against all rows, live and archived."""
    texts = [
        statement("disagreements", table=each.name, rows=places(each), index=KEYS[each.name].name) for each in _LIVE
    ]
    for row in _rows(warehouse, texts):
        where = f"{row['table_name']}, {row['phase']}, month {row['month']}"
        if repair:
            _mend(warehouse, TABLES[row["table_name"]], row["phase"], row["month"], lost=row["lost"])
        if row["lost"]:
            found = f"{row['n']} keys without a row (first: {row['first_key']})"
            yield Finding("lost row", where, found, "a row for each key of the index", _BACKUP, repaired=repair)
        else:
            found = f"{row['n']} keys the index has elsewhere or not at all (first: {row['first_key']})"
            expected = "an index that agrees with the rows; other programs must not write them"
            yield Finding("index", where, found, expected, _REPAIR, repaired=repair)


def _mend(warehouse: Warehouse, table: Table, phase: str, month: int, *, lost: bool) -> None:
    """Make the index agree with the rows of one month."""
    if lost:
        text = statement("forget", index=KEYS[table.name].name, phase=phase, rows=places(table))
        until_not_overtaken(lambda _: _rows(warehouse, [text], {"month": month}))
        return
    for each in STORED:
        if index_of(each) is table and phase_of(each) == phase:
            _reindex(warehouse, each, month)


def _reindex(warehouse: Warehouse, table: Table, month: int) -> None:
    index = index_of(table)
    landed = LANDED.get(index.name)
    positions = statement("landed_positions", landed=landed.name, key=index.key) if landed else _NO_POSITIONS
    with staged(warehouse, table, _living(warehouse, table, month)) as staging:
        text = statement(
            "reindex",
            index=KEYS[index.name].name,
            staging=staging,
            key=table.key,
            phase=phase_of(table),
            positions=positions,
        )
        until_not_overtaken(lambda _: _rows(warehouse, [text]))


def _living(warehouse: Warehouse, table: Table, month: int) -> pl.DataFrame:
    """Return the rows of a month whose keys live in the table: copies of live rows do not live in an archive."""
    rows, live = prepared_month(warehouse, table, month), index_of(table)
    if live is table:
        return rows
    keys = pl.DataFrame(pl.from_arrow(read(warehouse, live, replace(of_month(live, month), columns=[live.key]))))
    return rows.join(keys, on=live.key, how="anti")


_NO_POSITIONS = "SELECT '' AS landed_key, 0 AS position"


def _dangling(warehouse: Warehouse) -> Iterator[Finding]:
    """Find rows whose reference is absent, or another tenant's."""
    texts = [_dangling_query(table, reference) for table in STORED for reference in table.references]
    for row in _rows(warehouse, texts):
        yield Finding(
            "reference",
            f"{row['table_name']} {row['row_key']}",
            found=f"{row['column_name']} {row['reference']}, which user {row['user_id']!r} does not have",
            expected=f"a key of {row['referred']} of the same user",
            remedy=f"Land the missing record of {row['referred']}.",
        )


def _dangling_query(table: Table, reference: Reference) -> str:
    index = KEYS[reference.table].name
    names = {"table": table.name, "key": table.key, "column": reference.column, "referred": reference.table}
    return statement("dangling", index=index, **names)


def places(table: Table) -> str:
    """Return a query of where the rows of a table and of its archive belong; copies of live rows count for nothing."""
    tables = [each for each in STORED if index_of(each) is table]
    texts = [
        statement(
            "places",
            key=each.key,
            month=month_value(each),
            phase=phase_of(each),
            table=each.name,
            living="" if each is table else f"\nWHERE `{each.key}` NOT IN (SELECT `{each.key}` FROM `{table.name}`)\n",  # noqa: S608 - declared names
        )
        for each in tables
    ]
    return "UNION ALL\n".join(texts)


def _rows(warehouse: Warehouse, texts: Sequence[str], parameters: dict[str, object] | None = None) -> list[Row]:
    """Run queries as one, and return the rows in an order that stays."""
    text = "UNION ALL\n".join(texts)
    found = warehouse.run(text, parameters, object=f"dataset {warehouse.dataset}", operation="verify").arrow()
    return sorted(found.to_pylist(), key=str)
