"""Limits of time and memory while a statement runs.

Belongs here: stopping it. Does not belong here: what it is.

DuckDB keeps to its own limit of memory for what it buffers; texts, lists and the rows that are handed over come on top.
So the growth of the whole process is watched, too: it is stopped where it comes to twice the limit, on systems that
tell (Linux).
"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import duckdb

_EVERY_SECONDS = 0.02
_STATUS = Path("/proc/self/statm")


@dataclass
class Watch:
    """Whether a statement was stopped: ``late`` and ``large`` say why."""

    late: bool = False
    large: bool = False


class Watcher:
    """Watches the statements of one connection, one at a time, from a thread that it keeps between them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, seconds: float, memory: int) -> None:
        """Stop each after ``seconds``, or when the process has grown by twice ``memory`` bytes."""
        self._connection, self._seconds, self._growth = connection, seconds, 2 * memory
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tenant session watch")

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        """Watch what runs meanwhile; what is yielded says afterwards whether it was stopped."""
        watch, done = Watch(), Event()
        deadline, largest = time.monotonic() + self._seconds, _resident() + self._growth

        def look() -> None:
            while not done.wait(_EVERY_SECONDS):
                watch.late = watch.late or time.monotonic() > deadline
                watch.large = watch.large or _resident() > largest
                if watch.late or watch.large:
                    self._connection.interrupt()

        looking = self._thread.submit(look)
        try:
            yield watch
        finally:
            done.set()
            looking.result()

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()


def _resident() -> int:
    """Return the bytes of memory this process has, 0 where the system does not tell."""
    try:
        return int(_STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
