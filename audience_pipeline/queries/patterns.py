"""The documented access patterns: their names, parameters and SQL files, and how arguments are checked.

Belongs here: what a pattern asks for, independent of the backend that answers. Does not belong here: reading. The SQL
of a pattern is the file of its name in `sql/queries/`, one for each dialect, over plain table names and named
parameters, so analysts copy what the package runs. Filters, sorting and limits are the requirement's, plus the key as
the last sort column: rows of one instant keep their order between two calls.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Literal, TypeAlias

from audience_pipeline.errors import UsageError
from audience_pipeline.sqlfiles import read_sql
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, PLATFORMS, Table

Dialect: TypeAlias = Literal["duckdb", "bigquery"]
"""Whose SQL a pattern's file is written in."""

RECENT_LIMIT = 50
"""Rows of recent-distributions unless another limit is asked for, as the requirement has it."""

LARGEST_LIMIT = 2**63 - 1
"""No limit at all, in the numbers both dialects count rows with."""

PARAMETERS: dict[str, tuple[type, str]] = {
    "user_id": (str, "a user id"),
    "audience_id": (str, "an audience id"),
    "since": (datetime, "a moment, UTC where it has no offset"),
    "limit": (int, "a number of rows, at least 1 and within 64 bits"),
}
"""Every parameter of a pattern: its Python type, and what an error says was expected."""


@dataclass(frozen=True)
class AccessPattern:
    """One documented question about one table.

    ``needs`` are the parameters a caller must give; ``defaults`` those that may be left out. Answers have the table's
    columns but the secret ones.
    """

    name: str
    doc: str
    table: Table
    needs: tuple[str, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters, the needed ones first."""
        return (*self.needs, *self.defaults)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of an answer, in declared order."""
        return tuple(column.name for column in self.table.columns if not column.secret)

    def path(self, dialect: Dialect) -> PurePosixPath:
        """Return the pattern's file for a dialect, below `sql/`."""
        return PurePosixPath("queries", dialect, f"{self.name.replace('-', '_')}.sql")

    def sql(self, dialect: Dialect) -> str:
        """Return the text of the pattern's file for a dialect."""
        return read_sql(str(self.path(dialect)))

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a value for each parameter, in the form rows are stored in: lower-case ids, UTC without a zone.

        Raises:
            UsageError: a needed parameter is missing, one is not the pattern's, or a value has the wrong type.
        """
        surplus = [name for name in given if name not in self.parameters]
        missing = [name for name in self.needs if given.get(name) is None]
        if surplus or missing:
            raise self._wrong_parameters(surplus, missing)
        values = {**self.defaults, **{name: value for name, value in given.items() if value is not None}}
        return {name: self._value(name, values[name]) for name in self.parameters}

    def _value(self, name: str, value: object) -> object:
        kind, expected = PARAMETERS[name]
        stored = _stored(value) if isinstance(value, kind) else None
        if stored is None:
            where = f"{name} of {self.name}"
            raise UsageError(where, found=repr(value), expected=expected, remedy="Ask again with such a value.")
        return stored.lower() if name == "audience_id" and isinstance(stored, str) else stored

    def _wrong_parameters(self, surplus: list[str], missing: list[str]) -> UsageError:
        found = [f"{name}, which it does not take" for name in surplus] + [f"no {name}" for name in missing]
        optional = f" and perhaps {', '.join(self.defaults)}" if self.defaults else ""
        return UsageError(
            self.name,
            found=" and ".join(found),
            expected=f"{', '.join(self.needs)}{optional}",
            remedy=f"Ask again with these parameters; it answers: {self.doc}",
        )


def _stored(value: object) -> object | None:
    """Return a value in the form rows are stored in, or None where each backend would refuse it in words of its own."""
    try:
        match value:
            case bool():
                return None
            case int():
                return value if 1 <= value <= LARGEST_LIMIT else None
            case datetime():
                return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
            case str():
                value.encode()
                return value
            case _:
                return None
    except (OverflowError, UnicodeEncodeError):
        return None


PATTERNS: dict[str, AccessPattern] = {
    pattern.name: pattern
    for pattern in (
        AccessPattern("user-audiences", "All audiences of a user that are not archived.", AUDIENCES, ("user_id",)),
        AccessPattern("audience-detail", "One audience with its segments.", AUDIENCES, ("audience_id",)),
        AccessPattern(
            "distribution-history",
            "The distributions of one audience of a user.",
            DISTRIBUTIONS,
            ("audience_id", "user_id"),
        ),
        AccessPattern("active-platforms", "The platforms a user can distribute to.", PLATFORMS, ("user_id",)),
        AccessPattern(
            "recent-distributions",
            "The newest distributions a user created after a moment.",
            DISTRIBUTIONS,
            ("user_id", "since"),
            {"limit": RECENT_LIMIT},
        ),
    )
}
"""The access patterns by name."""


def pattern_named(name: str) -> AccessPattern:
    """Return an access pattern.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in PATTERNS:
        raise UsageError(
            name or "''",
            found="no access pattern of this name",
            expected=f"one of {', '.join(PATTERNS)}",
            remedy="Name one of these.",
        )
    return PATTERNS[name]
