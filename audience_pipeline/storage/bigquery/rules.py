"""The statements of an upsert, made for one table: what its declaration says, put into the rules in SQL.

Belongs here: which columns never change, who owns what, and how a row is composed. Does not belong here: the rules
themselves (``sql/statements/verdicts.sql``), or running them.
"""

from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.bigquery.fragments import (
    joined,
    names,
    staged_value,
    stored_engine_part,
    within,
)
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.tables import KEYS, LEDGER, Column, LogicalType, Owner, Table
from audience_pipeline.tables.bookkeeping import ARCHIVED, PLACED
from audience_pipeline.tables.declaration import Lift
from audience_pipeline.tables.landed import LINES_PER_FILE


def upsert_script(table: Table, staging: str) -> str:
    """Return the script that upserts staged rows.

    Its parameters are ``accepted_month`` (yyyymm) and, for a table with months, ``since`` and ``until``, the bounds of
    the staged rows' months.
    """
    application = [each for each in table.owned_by(Owner.APPLICATION) if each.name not in {table.key, *table.immutable}]
    changed = application + [column for column in table.columns if column.lift]
    return statement(
        "upsert",
        verdicts=verdicts(table, staging),
        table=table.name,
        staging=staging,
        index=KEYS[index_of(table).name].name,
        key=table.key,
        within=within(table, "t"),
        assignments=", ".join(f"`{column.name}` = {_updated(table, column)}" for column in changed) or _nothing(table),
        columns=names(table.column_names),
        values=", ".join(_inserted(column) for column in table.columns),
        phase=phase_of(table),
        next_number=next_number(table),
    )


def judge_query(table: Table, staging: str) -> str:
    """Return the query of what an upsert would do with each staged row."""
    return statement("judge", verdicts=verdicts(table, staging))


def verdicts(table: Table, staging: str) -> str:
    """Return the query of what becomes of each staged row."""
    carried = _carried(table)
    moved = " ".join(f"WHEN own_{name} != base_{name} THEN '{name}'" for name in table.immutable)
    return statement(
        "verdicts",
        table=table.name,
        staging=staging,
        index=KEYS[index_of(table).name].name,
        key=table.key,
        within=within(table, "t"),
        next_number=next_number(table),
        lines_per_file=str(LINES_PER_FILE),
        own_columns="".join(f", s.`{name}` AS own_{name}" for name in carried),
        base_columns="".join(f", IF(t.user_id IS NULL, b.own_{name}, t.`{name}`) AS base_{name}" for name in carried),
        archive_faults=_archive_faults(table),
        status_fault=_status_fault(table),
        moved=f"CASE {moved} END" if moved else "CAST(NULL AS STRING)",
        closed_fault=_closed_fault(table),
        late_stored=_late_stored(table),
    )


def next_number(table: Table) -> str:
    """Return what numbers a write of rows, or a file, after all that were numbered so far."""
    return statement("next_number", index=KEYS[index_of(table).name].name, ledger=LEDGER.name)


def phase_of(table: Table) -> str:
    """Return the phase of keys whose row is in ``table``."""
    return PLACED if index_of(table) is table else ARCHIVED


def _carried(table: Table) -> tuple[str, ...]:
    """Return the columns by which a row is held against its base."""
    return (*table.immutable, *(["status"] if table.open_status or table.insert_statuses else []))


def _archive_faults(table: Table) -> str:
    """Return what becomes of rows whose key is in the archive: a replay is stale, anything newer refused."""
    if index_of(table) is not table:
        return f"WHEN phase = '{PLACED}' THEN 'live'"
    archived = f"WHEN phase = '{ARCHIVED}'"
    return f"{archived} AND position <= k_position THEN 'stale' {archived} THEN 'archived'"


def _status_fault(table: Table) -> str:
    """Return what refuses rows whose status no key may start with; where the key is stored, its base decides."""
    if not table.insert_statuses:
        return ""
    allowed = ", ".join(f"'{status}'" for status in table.insert_statuses)
    return f"WHEN own_status NOT IN ({allowed}) AND IFNULL(phase, '') != '{phase_of(table)}' THEN 'first_status'"


def _closed_fault(table: Table) -> str:
    """Return what refuses changes of rows the engine has taken over, and of the status, which it alone changes."""
    if table.open_status is None:
        return ""
    return f"WHEN beats AND (base_status != '{table.open_status}' OR own_status != '{table.open_status}') THEN 'closed'"


def _late_stored(table: Table) -> str:
    """Return the base's value of the column a row is refused for, as text; moments as milliseconds."""
    status = "base_status" if table.open_status else "CAST(NULL AS STRING)"
    kept = " ".join(f"WHEN moved = '{name}' THEN {_text(table.by_name[name])}" for name in table.immutable)
    return f"CASE {kept} ELSE {status} END" if kept else status


def _text(column: Column) -> str:
    name = f"base_{column.name}"
    return f"CAST(UNIX_MILLIS({name}) AS STRING)" if column.type is LogicalType.TIMESTAMP else name


def _updated(table: Table, column: Column) -> str:
    """Return a column's value on a stored row: the winner's, but what is the engine's stays, or is lifted."""
    if column.lift:
        return _lifted(table.by_name[column.lift.column], column, column.lift)
    if column.engine_members:
        return joined(f"w.`{column.name}`", stored_engine_part(column, "t"))
    return staged_value(column, "w", "w")


def _lifted(source: Column, column: Column, lift: Lift) -> str:
    """Return an engine-owned column's value on a stored row, ended where other content comes."""
    members = [
        [f"IFNULL(JSON_VALUE({alias}.`{source.name}`, '$.{member}'), '')" for alias in ("t", "w")]
        for member in source.compared_by
    ]
    stored, differs = f"t.`{column.name}`", " OR ".join(map(" != ".join, members))
    return f"IF({stored} = '{lift.value}' AND ({differs}), '{lift.instead}', {stored})"


def _inserted(column: Column) -> str:
    """Return a new row's value of a column: the winner's, or the first record's where the engine owns it."""
    return staged_value(column, "b" if column.owner is Owner.ENGINE else "s", "b")


def _nothing(table: Table) -> str:
    """Return an assignment that changes nothing: a table of which the application owns nothing is never updated."""
    return f"`{table.key}` = w.`{table.key}`"
