"""Error families, classed by what a rerun would change.

Whoever catches an error needs one answer: try again as is, change something first, or give up. So there is a class
for each answer rather than for each layer, and callers (exit codes, Dagster's retry policies) read it off the class.
Every error says which object it is about, what was found, what was expected and what to do next; `str()` of all of
them has one form. Reasons for single refused records are data, not exceptions, and live with the ingest.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, NamedTuple


class PipelineError(Exception):
    """The base of all errors the package raises on purpose.

    Attributes:
        object: what the error is about: a file, a record's key, a setting, a table.
        found: what was there, as a phrase; never a secret.
        expected: what should have been there.
        remedy: the next action, as a sentence.
    """

    exit_code: ClassVar[int] = 1
    """What a command ends with when this error reaches the command line."""

    retryable: ClassVar[bool] = False
    """Whether the same call may succeed later though nobody changed anything."""

    def __init__(self, object: str | Path, *, found: str, expected: str, remedy: str) -> None:
        super().__init__(str(object), found, expected, remedy)
        self.object = str(object)
        self.found = found
        self.expected = expected
        self.remedy = remedy

    def __str__(self) -> str:
        """Render "<object>: found X, expected Y. <remedy>"."""
        return f"{self.object}: found {self.found}, expected {self.expected}. {self.remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild from the fields: errors cross process boundaries, where keyword arguments would be lost."""
        return _rebuild, (type(self), self.object, self.found, self.expected, self.remedy)


class UsageError(PipelineError):
    """The call itself is wrong; only other arguments help."""

    exit_code = 2


class SettingsError(PipelineError):
    """A setting is wrong; only another environment helps."""

    exit_code = 2


class RefusedError(PipelineError):
    """The data breaks a rule; a rerun is refused again until its sender changes the data."""


class ConflictError(PipelineError):
    """Another writer was faster, and nothing was written; a rerun sees the new state and may succeed."""

    retryable = True


class StorageError(PipelineError):
    """The machine or the service failed to store or read; a rerun helps once the environment is mended."""


class UnavailableError(StorageError):
    """A service did not answer, or has no capacity or quota left just now; a rerun later may succeed by itself."""

    retryable = True


class CorruptionError(StorageError):
    """Stored bytes are not what was written; a rerun helps only after `verify --repair` or a restored backup."""


class SecurityError(PipelineError):
    """The call would expose a secret or cross a tenant's boundary; no rerun may ever allow it."""


def storage_error(error: OSError, object: str | Path) -> StorageError:
    """Say what an operating system's refusal means for `object`, and what to do about it."""
    code = _error_number(error)
    advice = _ADVICE.get(code, _UNKNOWN) if code is not None else _UNKNOWN
    found = advice.found or error.strerror or str(error) or type(error).__name__
    return StorageError(object, found=found, expected=advice.expected, remedy=advice.remedy)


@contextmanager
def storage_errors(object: str | Path) -> Iterator[None]:
    """Turn any `OSError` raised inside the block into a `StorageError` about `object`."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, object) from error


class _Advice(NamedTuple):
    found: str
    expected: str
    remedy: str


_NO_SPACE = _Advice(
    "no space left", "room for the write", "Free some space and run again; nothing is left half-written."
)
_NO_ACCESS = _Advice("no permission", "access for this user", "Change the owner or mode, or run as its owner.")
_NO_DIRECTORY = _Advice(
    "a file in the place of a directory", "a directory", "Move the file away or choose another path."
)
_UNKNOWN = _Advice("", "the operation to succeed", "Mend the cause and run again.")
_ADVICE = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.EACCES: _NO_ACCESS,
    errno.EPERM: _NO_ACCESS,
    errno.EROFS: _Advice(
        "a read-only file system", "one that can be written", "Mount it writable or choose another directory."
    ),
    errno.EISDIR: _Advice("a directory", "a file", "Give the path of a file."),
    errno.ENOTDIR: _NO_DIRECTORY,
    errno.EEXIST: _NO_DIRECTORY,
    errno.ENOENT: _Advice("nothing there", "an existing file or directory", "Check the path."),
    errno.EMFILE: _Advice(
        "too many open files", "a free file descriptor", "Raise the limit (ulimit -n) and run again."
    ),
}
_NUMBER_IN_TEXT = re.compile(r"\b(?:os error|errno) (\d+)", re.IGNORECASE)


def _error_number(error: OSError) -> int | None:
    """The error number, which polars and pyarrow sometimes leave only in the text."""
    if error.errno is not None:
        return error.errno
    match = _NUMBER_IN_TEXT.search(str(error))
    return int(match[1]) if match else None


def _rebuild(cls: type[PipelineError], object: str, found: str, expected: str, remedy: str) -> PipelineError:
    return cls(object, found=found, expected=expected, remedy=remedy)
