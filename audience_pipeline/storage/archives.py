"""A table and its archive: two tables that share their keys.

Belongs here: which tables these are, and what a move between them may be asked for. Does not belong here: moving rows.
"""

from collections.abc import Mapping
from typing import Any

from audience_pipeline.errors import UsageError
from audience_pipeline.tables import STORED, Table

_LIVE = {table.archive: table for table in STORED if table.archive}


def index_of(table: Table) -> Table:
    """Return the table whose key index ``table`` shares: an archive's keys stand in its live table's."""
    return _LIVE.get(table.name, table)


def check_move(source: Table, target: Table, put: Mapping[str, Any]) -> None:
    """Refuse a move between tables that do not share their keys, or with values that are not the target's own.

    Raises:
        UsageError: the call cannot be meant.
    """
    if index_of(target) is not index_of(source) or source is target:
        raise UsageError(
            object=f"{source.name} -> {target.name}",
            found="two tables that do not share their keys",
            expected="a table and its archive",
            remedy="Move rows between distributions and distributions_archive.",
        )
    own = {name for name in target.column_names if name not in source.by_name}
    given = {name for name, value in put.items() if value is not None}
    if given != own or given != set(put):
        raise UsageError(
            object=f"{source.name} -> {target.name}",
            found=f"values for {', '.join(sorted(given)) or 'no column'}",
            expected=f"values for {', '.join(sorted(own)) or 'no column'}",
            remedy=f"Give a value for each column that only {target.name} has, and for no other.",
        )
