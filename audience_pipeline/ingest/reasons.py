"""The reasons a record is refused for, in words.

Belongs here: the text of each reason that is not a rule of one table. Does not belong here: the code that finds them.
``found`` is cut to a readable length, and callers pass no secret.
"""

from audience_pipeline.tables import Problem

SHOWN_CHARACTERS = 80
MAX_LINE_BYTES = 16 * 2**20
MAX_TEXT = 1_000_000
MAX_ITEMS = 10_000


def shown(value: object) -> str:
    """Return ``value`` as a refused record's reason shows it: quoted text or plain value, cut to a readable length."""
    if isinstance(value, str):
        return repr(value) if len(value) <= SHOWN_CHARACTERS else f"{value[:SHOWN_CHARACTERS]!r}..."
    if isinstance(value, dict):
        return f"an object of {len(value)} members"
    if isinstance(value, list):
        return f"an array of {len(value)} items"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) >= 10**SHOWN_CHARACTERS:
        return f"an integer of more than {SHOWN_CHARACTERS} digits"
    return "null" if value is None else repr(value)


def missing(field: str, expected: str) -> Problem:
    """Say that a required member is absent or null."""
    return Problem(field, "missing", "nothing", expected, f"Add {field}.")


def unknown(field: str, known: str | None, near: list[str]) -> Problem:
    """Say that a member is none of those declared; its value is not shown, since nobody knows what it is."""
    expected = f"a known field: {known}" if known else "a known field"
    remedy = f"Did you mean {near[0]}?" if near else "Leave it out, or correct its name."
    return Problem(field, "unknown_field", "a field that is not declared", expected, remedy)


def wrong_type(field: str, found: str, expected: str) -> Problem:
    """Say that a value has another JSON type than declared."""
    return Problem(field, "wrong_type", found, expected, "Send the value with the declared JSON type.")


def out_of_range(field: str, found: str, expected: str) -> Problem:
    """Say that a number is too small or too large."""
    return Problem(field, "out_of_range", found, expected, "Correct the number, or leave it out if it is unknown.")


def not_allowed(field: str, found: str, expected: str) -> Problem:
    """Say that a value is none of the allowed ones."""
    return Problem(field, "not_allowed", found, expected, "Use one of the allowed values.")


def too_long(field: str, found: int, limit: int) -> Problem:
    """Say that a text is longer than allowed."""
    remedy = "Shorten the text; files and long documents do not belong in a record."
    return Problem(field, "too_long", f"a text of {found:,} characters", f"at most {limit:,} characters", remedy)


def too_short(field: str, limit: int) -> Problem:
    """Say that a text is shorter than allowed."""
    return Problem(field, "too_short", "an empty text", f"at least {limit} character", f"Fill in {field}.")


def too_many(field: str, found: int) -> Problem:
    """Say that an array has more items than allowed."""
    remedy = "Split the record, or send aggregates."
    return Problem(field, "too_many_items", f"{found:,} items", f"at most {MAX_ITEMS:,} items", remedy)


def too_deep(field: str, found: str, limit: int) -> Problem:
    """Say that JSON is nested deeper than allowed."""
    return Problem(field, "too_deep", found, f"at most {limit} levels of nesting", "Flatten the value.")


def nul(field: str) -> Problem:
    """Say that a text has a NUL character."""
    remedy = "Remove the character; databases and C programs end a text there."
    return Problem(field, "nul_character", "a text with a NUL character (\\u0000)", "text without it", remedy)


def malformed(field: str, found: str, expected: str, remedy: str) -> Problem:
    """Say that a text has not the declared form."""
    return Problem(field, "malformed", found, expected, remedy)
