"""Pieces of statements, made from the declarations.

Belongs here: how a declared column is read, staged and written in SQL. Does not belong here: whole statements. All
names come from declarations, and values are parameters.

A JSON column of which the engine owns some members is staged in two texts, each without braces: the application's
members and the engine's (``metadata`` and ``metadata_engine``). Put together inside braces they are the value again,
and either can be taken from another row.
"""

from collections.abc import Iterable

from audience_pipeline.tables import Column, LogicalType, Table


def engine_part(column: Column) -> str:
    """Return the name of the staged column that has the engine's members of a JSON column."""
    return f"{column.name}_engine"


def names(columns: Iterable[str], alias: str = "") -> str:
    """Return quoted names, separated by commas, each of the table ``alias``."""
    prefix = f"{alias}." if alias else ""
    return ", ".join(f"{prefix}`{name}`" for name in columns)


def output(column: Column, alias: str = "") -> str:
    """Return what reads a column of the table ``alias``, JSON as text, under its own name."""
    value = names([column.name], alias)
    if column.type is LogicalType.JSON:
        return f"NULLIF(TO_JSON_STRING({value}), 'null') AS `{column.name}`"
    return value


def json_value(text: str) -> str:
    """Return what makes JSON of a canonical text; numbers come out as the doubles and integers they were."""
    return f"PARSE_JSON({text}, wide_number_mode => 'round')"


def staged_value(column: Column, alias: str, base: str, *, whole: bool = False) -> str:
    """Return what makes a column's value of staged rows: the application's part of ``alias``, the engine's of ``base``.

    Both are tables of staged rows; ``whole`` says that they have JSON columns in one text each.
    """
    if column.engine_members and not whole:
        return joined(f"{alias}.`{column.name}`", f"{base}.`{engine_part(column)}`")
    value = f"{alias}.`{column.name}`"
    return json_value(value) if column.type is LogicalType.JSON else value


def joined(application: str, engine: str) -> str:
    """Return what makes JSON of two texts of members; of no members it is null."""
    members = f"ARRAY_TO_STRING([{application}, {engine}], ',')"
    return json_value(f"NULLIF(CONCAT('{{', {members}, '}}'), '{{}}')")


def stored_engine_part(column: Column, alias: str) -> str:
    """Return what makes the text of the engine's members of a stored JSON column; of none it is null."""
    members = ", ".join(
        f"""CONCAT('"{name}":', NULLIF(TO_JSON_STRING(JSON_QUERY({alias}.`{column.name}`, '$.{name}')), 'null'))"""
        for name in column.engine_members
    )
    return f"NULLIF(ARRAY_TO_STRING([{members}], ','), '')"


def within(table: Table, alias: str, since: str = "@since", until: str = "@until") -> str:
    """Return a condition that has only the partitions between two moments read; without months there are none."""
    if not table.by_month:
        return ""
    return f" AND {alias}.created_at >= {since} AND {alias}.created_at < {until}"


def month_value(table: Table) -> str:
    """Return what makes a row's month as yyyymm, 0 without months."""
    return "EXTRACT(YEAR FROM created_at) * 100 + EXTRACT(MONTH FROM created_at)" if table.by_month else "0"
