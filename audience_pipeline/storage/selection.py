"""What a query may ask for, checked and made plain, the same on every backend.

Belongs here: names, operators, bounds, directions. Does not belong here: any SQL.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from audience_pipeline.errors import UsageError
from audience_pipeline.storage.contract import Predicate, Query
from audience_pipeline.storage.months import FIRST_MONTH, LAST_MONTH, month_of
from audience_pipeline.tables import Table

_OPERATORS = {"=", "!=", "<", "<=", ">", ">=", "in"}
_INSTANT = timedelta(microseconds=1)


def declared(table: Table, names: Sequence[str]) -> list[str]:
    """Return ``names``, all of which are columns.

    Raises:
        UsageError: some are not.
    """
    wrong = [name for name in names if name not in table.by_name]
    if wrong:
        raise UsageError(
            table.name,
            found=f"columns {', '.join(wrong)}",
            expected=f"some of {', '.join(table.column_names)}",
            remedy="Ask for declared columns only.",
        )
    return list(names)


def predicates(table: Table, query: Query) -> list[Predicate]:
    """Return all conditions of a query but its months, with moments in UTC and without a zone.

    Raises:
        UsageError: a column or operator that does not exist.
    """
    found = list(query.where)
    if query.user_id is not None:
        found.append(Predicate("user_id", "=", query.user_id))
    if query.user_ids is not None:
        found.append(Predicate("user_id", "in", list(query.user_ids)))
    if query.since is not None:
        found.append(Predicate("created_at", ">=", query.since))
    if query.until is not None:
        found.append(Predicate("created_at", "<", query.until))
    return [_checked(table, each) for each in found]


def _checked(table: Table, predicate: Predicate) -> Predicate:
    (name,) = declared(table, [predicate.column])
    if predicate.operator not in _OPERATORS:
        raise UsageError(
            object=f"{table.name}.{name}",
            found=f"the operator {predicate.operator}",
            expected=f"one of {', '.join(sorted(_OPERATORS))}",
            remedy="Ask with one of these, or filter what is returned.",
        )
    value = naive(predicate.value) if isinstance(predicate.value, datetime) else predicate.value
    return Predicate(name, predicate.operator, value)


def month_range(table: Table, query: Query) -> tuple[int, int] | None:
    """Return the months a query can find rows in, first and last, or None where the table has no months."""
    if not table.by_month:
        return None
    first, last = query.months or (FIRST_MONTH, LAST_MONTH)
    if query.since is not None:
        first = max(first, month_of(naive(query.since)))
    if query.until is not None:
        last = min(last, month_of(naive(query.until) - _INSTANT))
    return first, last


def directions(table: Table, names: Sequence[str]) -> list[tuple[str, bool]]:
    """Return the columns to order by, each with whether it is to descend."""
    return [(declared(table, [name.removeprefix("-")])[0], name.startswith("-")) for name in names]


def naive(moment: datetime) -> datetime:
    """Return a moment in UTC without a zone, as times are stored."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
