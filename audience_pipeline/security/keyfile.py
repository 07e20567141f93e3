"""The file a keyset is kept in: found or made once, private, never among the data.

Belongs here: paths, modes, the race of two processes to make the file, replacing it. Does not belong here: what the
bytes mean.
"""

import contextlib
import fcntl
import os
import shlex
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from audience_pipeline.errors import ConflictError, SettingsError, storage_errors

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


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Let one process at a time change the file at ``path``; what a killed one left beside it is removed.

    Raises:
        ConflictError: another process is at it.
        StorageError: its directory can't be written.
    """
    place = Path(os.path.realpath(path.expanduser()))
    with storage_errors(_subject(place)):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(place.parent / f".{place.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with storage_errors(_subject(place)):
            _lock(place, descriptor)
            for left in place.parent.glob(f".{place.name}.*.tmp"):
                left.unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)


def replace(path: Path, *, data_dir: Path, content: bytes) -> None:
    """Replace the keyset file at ``path``: whoever reads it finds the old bytes or the new ones, also after a kill.

    Raises as :func:`read_or_create` does.
    """
    place = Path(os.path.realpath(path.expanduser()))
    _require_outside(place, data_dir)
    with storage_errors(_subject(place)), _staged(place, content) as staged:
        staged.replace(place)
        _sync_directory(place.parent)


def _lock(place: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConflictError(
            _subject(place),
            found="another process that changes it",
            expected="one rotation at a time",
            remedy="Wait until it has ended, and run again.",
        ) from None


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
    with _staged(place, content) as staged, contextlib.suppress(FileExistsError):
        os.link(staged, place)
    _sync_directory(place.parent)


@contextlib.contextmanager
def _staged(place: Path, content: bytes) -> Iterator[Path]:
    """Yield a private file of ``content`` beside ``place``, synced; it is gone afterwards if it was not renamed."""
    descriptor, name = tempfile.mkstemp(prefix=f".{place.name}.", suffix=".tmp", dir=place.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    """Make the new name survive a power cut: rows sealed under a lost key are lost too."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _subject(place: Path) -> str:
    return f"keyset file {place}"
