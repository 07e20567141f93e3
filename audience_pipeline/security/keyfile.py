"""The file a keyset is kept in: found or made once, private, never among the data.

Belongs here: paths, modes, the race of two processes to make the file. Does not belong here: what the bytes mean.
"""

import contextlib
import os
import shlex
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from audience_pipeline.errors import SettingsError, storage_errors

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_or_create(path: Path, *, data_dir: Path, content: Callable[[], bytes]) -> bytes:
    """Return the bytes of the keyset file at ``path``, making it from ``content()`` if there is none.

    Symbolic links are followed once and every rule is applied to what they lead to, so a link can't bring a keyset
    into ``data_dir``. Of processes that make the file at the same moment one wins, and all return its bytes.

    Raises:
        SettingsError: the file is inside ``data_dir``, open to other accounts, or no regular file.
        StorageError: it can't be read or made.
    """
    place = Path(os.path.realpath(path.expanduser()))
    _require_outside(place, data_dir)
    with storage_errors(_subject(place)):
        if not place.exists():
            _create(place, content())
        return _read(place)


def _require_outside(place: Path, data_dir: Path) -> None:
    if place.is_relative_to(data_dir.resolve()):
        raise SettingsError(
            _subject(place),
            found=f"a place inside the data directory {data_dir}",
            expected="one outside it, so that a copy of the data never carries its keys",
            remedy="Move the file and set AUDIENCE_PIPELINE_KEYSET to its new path.",
        )


def _read(place: Path) -> bytes:
    # O_NONBLOCK: a named pipe put there is refused, not waited for.
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _require_private(place, os.fstat(descriptor).st_mode)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def _require_private(place: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise SettingsError(
            _subject(place),
            found="something that is not a regular file",
            expected="a keyset, or no file at all (then one is made)",
            remedy="Set AUDIENCE_PIPELINE_KEYSET to the path of a file.",
        )
    if mode & _OTHERS:
        raise SettingsError(
            _subject(place),
            found=f"mode {stat.S_IMODE(mode):04o}, which lets other accounts at the keys",
            expected="mode 0600",
            remedy=f"Run: chmod 600 {shlex.quote(str(place))} (and rotate the keys if others may have read it).",
        )


def _create(place: Path, content: bytes) -> None:
    """Make the file whole or not at all, and never over another process's.

    A hard link is the one call that gives a complete file its name only where the name is free: ``O_EXCL`` on the name
    itself would show an empty file to the process that came second, and a rename would replace what it already used.
    """
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, staged = tempfile.mkstemp(prefix=f".{place.name}.", suffix=".tmp", dir=place.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(staged, place)
    finally:
        Path(staged).unlink()
    _sync_directory(place.parent)


def _sync_directory(directory: Path) -> None:
    """Make the new name survive a power cut: rows sealed under a lost key are lost too."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _subject(place: Path) -> str:
    return f"keyset file {place}"
