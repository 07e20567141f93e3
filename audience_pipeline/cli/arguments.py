"""Argument types that several commands share.

Belongs here: turning a text of the command line into a value, or into a message about it. Does not belong here: any
rule about the value.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from audience_pipeline.errors import UsageError

if TYPE_CHECKING:
    from audience_pipeline.tables import Table


def moment(text: str) -> datetime:
    """Return the moment an ISO 8601 text names; without an offset it is UTC, without a time midnight.

    Raises:
        typer.BadParameter: the text is no such moment.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        message = f"found {text!r}, expected a moment in ISO 8601 such as 2025-05-01 or 2025-05-01T12:00:00Z."
        raise typer.BadParameter(message) from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def as_of(given: datetime | None, *, dry_run: bool) -> datetime:
    """Return the moment up to which a command acts: the present unless one is given.

    Raises:
        UsageError: it is yet to come, and the command would act.
    """
    present = datetime.now(UTC)
    if given is not None and given > present and not dry_run:
        subject = "--as-of"
        raise UsageError(
            subject,
            found=f"{given:%Y-%m-%dT%H:%M:%SZ}, which is yet to come",
            expected="a moment that has passed",
            remedy="Add --dry-run to see what would be done then.",
        )
    return given or present


def source_table(name: str, argument: str = "TABLE") -> "Table":
    """Return the table that records can be landed in by its name, which was given as ``argument``.

    Raises:
        UsageError: there is none of that name.
    """
    from audience_pipeline.tables import SOURCES

    for table in SOURCES:
        if table.name == name:
            return table
    raise UsageError(
        argument,
        found=repr(name),
        expected=", ".join(table.name for table in SOURCES),
        remedy="Name one of these tables.",
    )
