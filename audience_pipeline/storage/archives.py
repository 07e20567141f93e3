"""A table and its archive: two tables that share their keys.

Belongs here: which tables these are. Does not belong here: copying or removing rows.

A key *lives* in the live table as long as that has its row, else in the archive. So while a row is on its way, it is in
both tables, and nothing has to be told which of the two counts.
"""

from collections.abc import Sequence

from audience_pipeline.errors import UsageError
from audience_pipeline.storage.contract import MoveResult
from audience_pipeline.tables import STORED, TABLES, Table

_LIVE = {table.archive: table for table in STORED if table.archive}


def index_of(table: Table) -> Table:
    """Return the table whose key index ``table`` shares: an archive's keys stand in its live table's."""
    return _LIVE.get(table.name, table)


def twin_of(table: Table) -> Table | None:
    """Return the archive of a live table, or the live table of an archive; None of any other."""
    live = index_of(table)
    if live is not table:
        return live
    return TABLES[table.archive] if table.archive else None


def twin(table: Table) -> Table:
    """Return the table that rows of ``table`` are exchanged with.

    Raises:
        UsageError: there is none.
    """
    found = twin_of(table)
    if found is None:
        raise UsageError(
            object=table.name,
            found="a table without an archive",
            expected="a table and its archive",
            remedy="Only rows of distributions and distributions_archive are copied to the other.",
        )
    return found


def copied(target: Table, given: Sequence[str], moved: Sequence[str]) -> MoveResult:
    """Return the result of a copy of rows ``given`` to ``target``."""
    return _result(given, moved, f"its row is not in {twin(target).name}, at that place")


def removed(source: Table, given: Sequence[str], moved: Sequence[str]) -> MoveResult:
    """Return the result of a removal of rows ``given`` from ``source``."""
    why = f"{twin(source).name} does not have the same row" if index_of(source) is source else "it lives in the archive"
    return _result(given, moved, why)


def _result(given: Sequence[str], moved: Sequence[str], why: str) -> MoveResult:
    done = set(moved)
    return MoveResult(tuple(moved), {key: why for key in given if key not in done})
