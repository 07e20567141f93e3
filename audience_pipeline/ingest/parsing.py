"""From the bytes of one line to a JSON value, or the one reason why it is none.

Belongs here: encoding, JSON syntax, duplicate keys. Does not belong here: what the value means. Reasons name a position
and never repeat the text around it, for the line may hold a secret.
"""

import re
from collections.abc import Callable
from typing import Any

import jiter

from audience_pipeline.tables import Problem

LINE = "line"
_BOM = b"\xef\xbb\xbf"
_COLUMN = re.compile(r" at line \d+ column (\d+)$")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_NOT_A_NUMBER = re.compile(rb"-?(NaN|Infinity|nan|inf)")


class NotJsonError(ValueError):
    """A line is no JSON text; ``problem`` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.found)
        self.problem = problem


def parse(line: bytes, *, cut: bool = False) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of ``line``; ``cut`` says that no line end followed it, as after a broken upload.

    Raises:
        NotJsonError: it is no JSON text, or repeats a key of an object.
    """
    try:
        return jiter.from_json(line, catch_duplicate_keys=True, allow_inf_nan=False, cache_mode="keys")
    except ValueError as error:
        raise NotJsonError(_problem(line, str(error), cut=cut)) from None


def _problem(line: bytes, message: str, *, cut: bool) -> Problem:
    found = _COLUMN.search(message)
    column = int(found[1]) if found else 1
    reason = _COLUMN.sub("", message)
    if cut and reason.startswith("EOF"):
        return _truncated(len(line))
    for fits, describe in _KINDS:
        if fits(line, reason, column):
            return describe(reason, column)
    remedy = "Write each record as one JSON object on one line."
    return Problem(LINE, "invalid_json", f"{reason}, at byte {column}", "one JSON object", remedy)


def _truncated(length: int) -> Problem:
    remedy = "Send the whole record again; write to a *.tmp file and rename it when it is complete."
    return Problem(LINE, "truncated", f"an end of file after {length:,} bytes of a record", "a whole record", remedy)


def _starts_with_mark(line: bytes, _reason: str, _column: int) -> bool:
    return line.startswith(_BOM)


def _is_not_utf8(line: bytes, _reason: str, _column: int) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return True
    return False


def _is_not_a_number(line: bytes, _reason: str, column: int) -> bool:
    return (
        _NOT_A_NUMBER.match(line, max(column - 2, 0)) is not None or _NOT_A_NUMBER.match(line, column - 1) is not None
    )


def _has_surrogate(line: bytes, reason: str, _column: int) -> bool:
    return "hex escape" in reason and _SURROGATE.search(line) is not None


def _says(*words: str) -> Callable[[bytes, str, int], bool]:
    return lambda _line, reason, _column: any(word in reason for word in words)


def _kind(code: str, found: str, expected: str, remedy: str) -> Callable[[str, int], Problem]:
    return lambda reason, column: Problem(LINE, code, found.format(reason=reason, column=column), expected, remedy)


_KINDS: tuple[tuple[Callable[[bytes, str, int], bool], Callable[[str, int], Problem]], ...] = (
    (
        _starts_with_mark,
        _kind(
            "byte_order_mark",
            "a byte order mark in the middle of the file",
            "a record",
            "Remove it; only the start of a file may have one.",
        ),
    ),
    (
        _is_not_utf8,
        _kind("invalid_utf8", "bytes that are no UTF-8, at byte {column}", "UTF-8", "Write the file as UTF-8."),
    ),
    (
        _says("uplicate key"),
        _kind(
            "duplicate_key",
            "{reason}, at byte {column}",
            "each key of an object once",
            "Remove all but one; which one counts is not for us to guess.",
        ),
    ),
    (
        _says("recursion limit"),
        _kind("too_deep", "JSON nested more than 200 levels deep", "at most 100 levels", "Flatten the value."),
    ),
    (
        _has_surrogate,
        _kind(
            "lone_surrogate",
            "half of a surrogate pair, at byte {column}",
            "whole characters",
            "Write both halves, or the character itself.",
        ),
    ),
    (
        _says("control character"),
        _kind(
            "control_character",
            "an unescaped control character, such as a NUL byte, at byte {column}",
            "text without it",
            "Remove it, or escape it where it is meant.",
        ),
    ),
    (
        _is_not_a_number,
        _kind("not_a_number", "NaN or Infinity, at byte {column}", "a finite number or null", "Send null if unknown."),
    ),
    (
        _says("number out of range"),
        _kind("out_of_range", "a number of thousands of digits, at byte {column}", "a number", "Correct the number."),
    ),
)
