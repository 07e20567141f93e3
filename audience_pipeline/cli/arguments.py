"""Argument types that several commands share.

Belongs here: turning a text of the command line into a value, or into a message about it. Does not belong here: any
rule about the value.
"""

from datetime import UTC, datetime

import typer


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
