"""Why a store refuses a row, in one text for every backend.

Belongs here: the problem of each broken rule. Does not belong here: finding rows that break one. Another tenant's
values are never repeated.
"""

from datetime import datetime

from audience_pipeline.storage.months import month_text
from audience_pipeline.tables import Problem, Table

_CODES = {"processing": "already_processing", "completed": "already_finished", "failed": "already_finished"}


def immutable_problem(table: Table, name: str, found: object, stored: object) -> Problem:
    """Say that a record would change a column that never changes."""
    if name == "user_id":
        remedy = f"Use a new {table.key}: this one belongs to another user."
        return Problem(name, "immutable", repr(found), "the user_id the key was created with", remedy)
    remedy = f"Send the {name} the record was created with, or use a new {table.key}."
    return Problem(name, "immutable", _text(found), f"{_text(stored)}, as stored", remedy)


def _text(value: object) -> str:
    """Return a value as a record has it: times in UTC, with Z."""
    return f"{value.isoformat(timespec='milliseconds')}Z" if isinstance(value, datetime) else str(value)


def other_month_problem(table: Table, found: int, stored: int) -> Problem:
    """Say that a record would move its key to another month."""
    return immutable_problem(table, "created_at", month_text(found), month_text(stored))


def archived_problem(table: Table, key: str) -> Problem:
    """Say that a record came for a key whose row is in the archive."""
    remedy = f"Run `audience-pipeline restore {key} --until T` first, or use a new {table.key}."
    return Problem(table.key, "archived", "a key that is archived", "a key that is live or new", remedy)


def first_status_problem(table: Table, status: str) -> Problem:
    """Say that no key may start with a status."""
    expected = " | ".join(table.insert_statuses)
    return Problem(
        "status", "engine_owned", status, expected, "Send it as scheduled; only the engine starts processing."
    )


def closed_problem(open_status: str, found: str, stored: str) -> Problem:
    """Say that a row is closed to the application, or that only the engine makes a change of status."""
    if stored != open_status:
        remedy = "Create a new distribution for the change, or replay the record as it was."
        return Problem("status", _CODES[stored], f"a change while {stored}", "an identical record", remedy)
    remedy = f"Send status {open_status}; the engine alone moves it on."
    return Problem("status", "engine_owned", found, open_status, remedy)
