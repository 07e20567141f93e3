"""Limits of time and memory while a statement runs.

Belongs here: stopping it. Does not belong here: what it is.

DuckDB keeps to its own limit of memory for what it buffers; texts, lists and the rows that are handed over come on top.
So the growth of the whole process is watched, too: it is stopped where it comes to twice the limit, on systems that
tell (Linux).
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

_EVERY_SECONDS = 0.02
_STATUS = Path("/proc/self/statm")


@dataclass
class Watch:
    """Whether a statement was stopped: ``late`` and ``large`` say why."""

    late: bool = False
    large: bool = False


@contextmanager
def watched(connection: duckdb.DuckDBPyConnection, seconds: float, memory: int) -> Iterator[Watch]:
    """Interrupt a connection after ``seconds``, or when the process has grown by twice ``memory`` bytes."""
    watch, done = Watch(), threading.Event()
    deadline, largest = time.monotonic() + seconds, _resident() + 2 * memory

    def look() -> None:
        while not done.wait(_EVERY_SECONDS):
            watch.late = watch.late or time.monotonic() > deadline
            watch.large = watch.large or _resident() > largest
            if watch.late or watch.large:
                connection.interrupt()

    thread = threading.Thread(target=look, name="tenant session watch", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        done.set()
        thread.join()


def _resident() -> int:
    """Return the bytes of memory this process has, 0 where the system does not tell."""
    try:
        return int(_STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
