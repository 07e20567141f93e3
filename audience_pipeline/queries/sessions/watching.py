"""Limits of time and memory while a statement runs.

Belongs here: stopping it. Does not belong here: what it is.

DuckDB keeps to its own limit of memory for what it buffers; texts, lists and the rows that are handed over come on top.
So the growth of the whole process is watched, too: it is stopped where it comes to twice the limit, on systems that
tell (Linux).
"""

import atexit
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb

_EVERY_SECONDS = 0.02
_STATUS = Path("/proc/self/statm")
_starting = threading.Lock()


@dataclass(eq=False)
class Watch:
    """A statement at work, and whether it was stopped: ``late`` and ``large`` say why."""

    connection: duckdb.DuckDBPyConnection
    deadline: float
    largest: int
    late: bool = False
    large: bool = False

    def look(self) -> None:
        """Interrupt the statement if it went over a limit."""
        self.late = self.late or time.monotonic() > self.deadline
        self.large = self.large or _resident() > self.largest
        if self.late or self.large:
            with suppress(duckdb.Error):
                self.connection.interrupt()


@contextmanager
def watched(connection: duckdb.DuckDBPyConnection, seconds: float, memory: int) -> Iterator[Watch]:
    """Interrupt a connection after ``seconds``, or when the process has grown by twice ``memory`` bytes."""
    watch = Watch(connection, time.monotonic() + seconds, _resident() + 2 * memory)
    with _starting:
        patrol = _patrol(os.getpid())
    with patrol.lock:
        patrol.watches.add(watch)
    patrol.wanted.set()
    try:
        yield watch
    finally:
        with patrol.lock:
            patrol.watches.discard(watch)


class _Patrol:
    """The thread that looks after the statements of a process; it sleeps while there is none.

    A thread for each statement would take longer than a small one does. It ends before the interpreter does: a thread
    that is left over keeps DuckDB from being cleared away, which DuckDB complains of at length.
    """

    def __init__(self) -> None:
        self.lock, self.wanted = threading.Lock(), threading.Event()
        self.watches: set[Watch] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._walk, name="tenant session watch", daemon=True)
        self._thread.start()
        atexit.register(self._end)

    def _walk(self) -> None:
        while self.wanted.wait() and not self._ended.wait(_EVERY_SECONDS):
            self._look()

    def _look(self) -> None:
        """Look at each; a function of its own, so that the thread holds on to none while it sleeps."""
        with self.lock:
            for watch in self.watches:
                watch.look()
            if not self.watches:
                self.wanted.clear()

    def _end(self) -> None:
        self._ended.set()
        self.wanted.set()
        self._thread.join()


@cache
def _patrol(process: int) -> _Patrol:  # noqa: ARG001 - threads are not carried over to a fork
    return _Patrol()


def _resident() -> int:
    """Return the bytes of memory this process has, 0 where the system does not tell."""
    try:
        return int(_STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
