"""Reads that meet no half of a replaced file.

Belongs here: noticing that files were replaced while something read them, and reading again; telling what DuckDB says
of a damaged file. Does not belong here: what is read, or locks.

A rename is atomic, but DuckDB, polars and pyarrow's ``read_table`` open a Parquet file more than once, for its schema
and then for its rows; when it is replaced in between, they hold the footer of one file against the bytes of another and
fail, or worse. So files are stamped before and after: what was read counts only when no stamp changed. It is then
also one moment's view of all the files.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import duckdb

from audience_pipeline.errors import ConflictError, CorruptionError, storage_error
from audience_pipeline.tables import Table

_ATTEMPTS = 8
_PAUSE_SECONDS = 0.002
Found = TypeVar("Found")


def steady(paths: Sequence[str | os.PathLike[str]], read: Callable[[], Found]) -> Found:
    """Return what ``read`` makes of ``paths`` while none of them is replaced; it is called again if one was.

    Raises:
        ConflictError: some file was replaced during each of several attempts.
        StorageError: a directory above one of them may not be entered.
        Exception: what ``read`` raises though no file was replaced.
    """
    for attempt in range(_ATTEMPTS):
        before = stamps(paths)
        try:
            found = read()
        except Exception:
            if stamps(paths) == before:
                raise
        else:
            if stamps(paths) == before:
                return found
        time.sleep(_PAUSE_SECONDS * attempt)
    raise ConflictError(
        os.fspath(paths[0]),
        found=f"files that were replaced during each of {_ATTEMPTS} reads",
        expected=f"{len(paths)} files that stay for as long as they are read",
        remedy="Run again, or ask for fewer users or months.",
    )


def stamps(paths: Sequence[str | os.PathLike[str]]) -> list[tuple[int, ...] | None]:
    """Return for each path what tells one file there from the next."""
    return [_stamp(path) for path in paths]


def _stamp(path: str | os.PathLike[str]) -> tuple[int, ...] | None:
    """Return what tells one file at ``path`` from the next, None for no file."""
    try:
        status = os.stat(path)  # noqa: PTH116 - called twice a file and read
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(error, os.fspath(path)) from error
    return status.st_ino, status.st_ctime_ns, status.st_mtime_ns, status.st_size


@contextmanager
def damage_told(table: Table) -> Iterator[None]:
    """Turn what DuckDB raises over the files of ``table`` when one is damaged into a CorruptionError."""
    try:
        yield
    except duckdb.Error as error:
        # A footer that makes no sense raises the base class itself.
        if type(error) is not duckdb.Error and not isinstance(error, duckdb.IOException | duckdb.InvalidInputException):
            raise
        raise CorruptionError(
            table.name,
            found=str(error).splitlines()[0],
            expected="readable partition files",
            remedy="Run `audience-pipeline verify` to see which files are damaged and what can be repaired.",
        ) from error
