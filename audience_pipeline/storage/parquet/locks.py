"""Advisory locks by name, for any number of names, between processes and threads of one machine.

Belongs here: mutual exclusion of writers. Readers never lock. A name becomes one byte of a lock file (its hash is the
offset), so ten thousand partitions need neither files nor descriptors of their own, and writers to different partitions
do not wait for each other. Open-file-description locks are used because they hold between threads too and vanish with
a killed process. Where the system lacks them (outside Linux) the whole file is locked: coarser, and as correct.

Names are taken in the order of their hash, which is the same everywhere, so two writers cannot wait for each other.
"""

import fcntl
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from audience_pipeline.errors import storage_errors

_SET_WAIT: int | None = getattr(fcntl, "F_OFD_SETLKW", None)
_SET: int | None = getattr(fcntl, "F_OFD_SETLK", None)


class Locks:
    """The locks of one store, kept in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def hold(self, names: Iterable[str]) -> Iterator[None]:
        """Hold ``names`` exclusively; waits for whoever holds one of them."""
        descriptor = self._open()
        try:
            for offset in sorted({_offset(name) for name in names}):
                _acquire(descriptor, offset, _SET_WAIT, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def try_hold(self, name: str) -> Iterator[bool]:
        """Hold ``name`` if nobody else does; yields whether it is held."""
        descriptor = self._open()
        try:
            try:
                _acquire(descriptor, _offset(name), _SET, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        with storage_errors(self._path):
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _offset(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest()) >> 2


def _acquire(descriptor: int, offset: int, command: int | None, flags: int) -> None:
    if command is None:
        fcntl.flock(descriptor, flags)
        return
    fcntl.fcntl(descriptor, command, struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, offset, 1, 0))
