# An initial load makes files by the ten thousand, and pathlib costs more than the calls it wraps.
# ruff: noqa: PTH103, PTH105, PTH110, PTH120, PTH123
"""Files that survive a power failure: written aside, synced, renamed into place, and their directories synced.

Belongs here: the system calls, in their order. Does not belong here: what is in a file, or where one belongs.
"""

import ctypes
import os
from collections.abc import Collection
from os import PathLike

import pyarrow as pa

_FEW = 24


def write_file(path: str | PathLike[str], content: pa.Buffer) -> int:
    """Write a new file, not synced yet; return its bytes."""
    with open(path, "xb", buffering=0) as file:
        rest = memoryview(content)
        while rest:
            rest = rest[file.write(rest) :]
    return len(content)


def publish(moves: Collection[tuple[str, str]], root: str) -> None:
    """Sync staged files, rename each into its place below ``root``, and sync the directories that name them."""
    sync_paths([staged for staged, _ in moves], root)
    changed: set[str] = set()
    for staged, path in moves:
        changed.update(make_parents(path, root))
        os.replace(staged, path)
    sync_paths(changed, root)


def make_parents(path: str | PathLike[str], root: str | PathLike[str]) -> list[str]:
    """Make the directories between ``root`` and ``path``; return those to sync once the file is there.

    For a new file these are all of them: one that another writer has just made may not be durable yet.
    """
    directory, top = os.path.dirname(path), os.fspath(root)
    if os.path.exists(path):
        return [directory]
    os.makedirs(directory, exist_ok=True)
    changed = [directory]
    while changed[-1] != top:
        changed.append(os.path.dirname(changed[-1]))
    return changed


def sync_paths(paths: Collection[str | PathLike[str]], root: str | PathLike[str]) -> None:
    """Make files or directories durable: one by one where they are few, the file system at once where they are many."""
    if len(paths) > _FEW:
        _sync_file_system(root)
        return
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sync_file_system(root: str | PathLike[str]) -> None:
    """Sync the one file system that holds ``root`` and report its write errors; elsewhere sync them all."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):
        os.sync()
        return
    descriptor = os.open(root, os.O_RDONLY)
    try:
        if libc.syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), os.fspath(root))
    finally:
        os.close(descriptor)
