"""Prove the invariants on a real dataset: the tables as declared, every row, and the index against them.

Belongs here: what is checked, and mending the index. Does not belong here: what may be wrong in rows
(:mod:`.inspection`) or in the landing log (:mod:`.landed_findings`). A repair touches the bookkeeping only; rows are
never dropped or changed.
"""

from collections.abc import Iterator

from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.bigquery.attempts import until_not_overtaken
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.drift import differences
from audience_pipeline.storage.bigquery.fences import make_fences, unfenced
from audience_pipeline.storage.bigquery.fragments import month_value
from audience_pipeline.storage.bigquery.inspection import inspect_month, prepared_month
from audience_pipeline.storage.bigquery.landed_findings import landed_findings
from audience_pipeline.storage.bigquery.queries import months
from audience_pipeline.storage.bigquery.rules import phase_of
from audience_pipeline.storage.bigquery.staging import PREFIX, staged
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.storage.contract import Finding
from audience_pipeline.tables import KEYS, LANDED, STORED, Reference, Table
from audience_pipeline.tables.bigquery import KEPT

_BACKUP = "Restore it from a snapshot of the table, or bring the table back with `audience-pipeline refold`."
_REPAIR = "Run `audience-pipeline verify --repair`."
_MIGRATE = "Run `audience-pipeline migrate`."
_SHOWN = 20
Row = dict[str, object]


def verify(warehouse: Warehouse, *, repair: bool) -> list[Finding]:
    """Return all that is wrong, mended where ``repair`` can mend it.

    Tables that differ from their declarations are the only findings: nothing can be read from them for certain.
    """
    if drifted := list(_drift(warehouse)):
        return drifted
    findings = [*_leftovers(warehouse), *_fences(warehouse, repair=repair)]
    for table in STORED:
        if index_of(table) is table:
            findings += _duplicates(warehouse, table)
            findings += _index(warehouse, table, repair=repair)
        for month in months(warehouse, table):
            findings += inspect_month(warehouse, table, month, reindex=_reindex if repair else None)
        for reference in table.references:
            findings += _dangling(warehouse, table, reference)
    return [*findings, *landed_findings(warehouse)]


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


def _duplicates(warehouse: Warehouse, table: Table) -> Iterator[Finding]:
    text = statement("duplicates", rows=places(table))
    for row in _rows(warehouse, table, text)[:_SHOWN]:
        yield Finding(
            "duplicate key",
            f"{table.name} {row['row_key']}",
            found=f"{row['n']} rows",
            expected="one row a key, live and archive together",
            remedy="Delete the older one, then run `audience-pipeline verify --repair`.",
        )


def _index(warehouse: Warehouse, table: Table, *, repair: bool) -> Iterator[Finding]:
    """Hold the index against all rows, live and archived."""
    index = KEYS[table.name].name
    for row in _rows(warehouse, table, statement("disagreements", rows=places(table), index=index)):
        where = f"{table.name}, {row['phase']}, month {row['month']}"
        if repair:
            _mend(warehouse, table, str(row["phase"]), int(str(row["month"])), lost=bool(row["lost"]))
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
        until_not_overtaken(lambda _: _rows(warehouse, table, text, {"month": month}))
        return
    for each in STORED:
        if index_of(each) is table and phase_of(each) == phase:
            _reindex(warehouse, each, month)


def _reindex(warehouse: Warehouse, table: Table, month: int) -> None:
    index = index_of(table)
    landed = LANDED.get(index.name)
    positions = statement("landed_positions", landed=landed.name, key=index.key) if landed else _NO_POSITIONS
    with staged(warehouse, table, prepared_month(warehouse, table, month)) as staging:
        text = statement(
            "reindex",
            index=KEYS[index.name].name,
            staging=staging,
            key=table.key,
            phase=phase_of(table),
            positions=positions,
        )
        until_not_overtaken(lambda _: _rows(warehouse, table, text))


_NO_POSITIONS = "SELECT '' AS landed_key, 0 AS position"


def _dangling(warehouse: Warehouse, table: Table, reference: Reference) -> Iterator[Finding]:
    """Find rows whose reference is absent, or another tenant's."""
    text = statement(
        "dangling", table=table.name, key=table.key, column=reference.column, index=KEYS[reference.table].name
    )
    for row in _rows(warehouse, table, text):
        yield Finding(
            "reference",
            f"{table.name} {row['row_key']}",
            found=f"{reference.column} {row['reference']}, which user {row['user_id']!r} does not have",
            expected=f"a key of {reference.table} of the same user",
            remedy=f"Land the missing record of {reference.table}.",
        )


def places(table: Table) -> str:
    """Return a query of where the rows of a table and of its archive belong."""
    tables = [each for each in STORED if index_of(each) is table]
    texts = [
        statement("places", key=each.key, month=month_value(each), phase=phase_of(each), table=each.name)
        for each in tables
    ]
    return "\nUNION ALL\n".join(texts)


def _rows(warehouse: Warehouse, table: Table, text: str, parameters: dict[str, object] | None = None) -> list[Row]:
    found = warehouse.run(text, parameters, object=f"table {table.name}", operation="verify").arrow()
    rows: list[Row] = found.to_pylist()
    return rows
