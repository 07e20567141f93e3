"""What the sandbox remembers: every submission it took, in a SQLite file.

Belongs here: storing submissions and finding them again. Does not belong here: deciding what is taken. A submission is
committed before anybody hears of it, so a sandbox that is killed knows afterwards whatever it has told.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from audience_pipeline.errors import StorageError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS submissions (
  account TEXT NOT NULL, idempotency_key TEXT NOT NULL, reference TEXT NOT NULL UNIQUE, digest TEXT NOT NULL,
  platform TEXT NOT NULL, audience TEXT NOT NULL, accepted TEXT NOT NULL, refused TEXT NOT NULL,
  members TEXT NOT NULL, match_rate REAL, denied INTEGER NOT NULL, accepted_at REAL NOT NULL, withdrawn_at REAL,
  requests INTEGER NOT NULL, PRIMARY KEY (account, idempotency_key)
);
CREATE INDEX IF NOT EXISTS submissions_by_audience ON submissions (account, platform, audience, accepted_at);
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A submission as it is kept; ``accepted``, ``refused`` and ``members`` are JSON texts.

    ``members`` is what the platform has of the audience since then: the size of each segment by id. Times are seconds
    since 1970. ``requests`` counts how often it was handed in.
    """

    account: str
    idempotency_key: str
    reference: str
    digest: str
    platform: str
    audience: str
    accepted: str
    refused: str
    members: str
    match_rate: float | None
    denied: bool
    accepted_at: float
    withdrawn_at: float | None = None
    requests: int = 1


_COLUMNS = ", ".join(field.name for field in fields(Stored))
_INSERT = f"INSERT INTO submissions ({_COLUMNS}) VALUES ({', '.join('?' * len(fields(Stored)))})"  # noqa: S608
_SELECT = f"SELECT {_COLUMNS} FROM submissions"  # noqa: S608 - names of this module's own
_BY_KEY = "account = ? AND idempotency_key = ?"


class State:
    """The file, shared by the threads of the sandbox."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
            # Committed is in the operating system's hands, which outlives a killed process.
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            remedy = "Name another file, or remove it to start anew."
            raise StorageError(path, found=str(error), expected="the sandbox's state", remedy=remedy) from None

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Keep other threads away, for what has to be read and written as one."""
        with self._lock:
            yield

    def keep(self, new: Stored) -> None:
        """Keep a submission; its key must be free."""
        with self._lock:
            self._db.execute(_INSERT, astuple(new))

    def repeated(self, account: str, key: str) -> Stored | None:
        """Return what is kept under a key of an account, after counting one more request for it."""
        counted = f"UPDATE submissions SET requests = requests + 1 WHERE {_BY_KEY} RETURNING {_COLUMNS}"  # noqa: S608
        return self._one(counted, (account, key))

    def by_key(self, account: str, key: str) -> Stored | None:
        """Return what is kept under a key of an account."""
        return self._one(f"{_SELECT} WHERE {_BY_KEY}", (account, key))

    def by_reference(self, account: str, reference: str) -> Stored | None:
        """Return an account's submission."""
        return self._one(f"{_SELECT} WHERE account = ? AND reference = ?", (account, reference))

    def latest(self, account: str, platform: str, audience: str) -> Stored | None:
        """Return the last submission of an audience that was not withdrawn."""
        where = "account = ? AND platform = ? AND audience = ? AND withdrawn_at IS NULL"
        ordered = f"{_SELECT} WHERE {where} ORDER BY accepted_at DESC, rowid DESC LIMIT 1"
        return self._one(ordered, (account, platform, audience))

    def withdraw(self, reference: str, now: float) -> None:
        """Note that a submission was taken back, the first time it is."""
        with self._lock:
            self._db.execute(
                "UPDATE submissions SET withdrawn_at = ? WHERE reference = ? AND withdrawn_at IS NULL", (now, reference)
            )

    def effective(self) -> list[Stored]:
        """Return all submissions that were not withdrawn, in the order they were taken."""
        return self._many(f"{_SELECT} WHERE withdrawn_at IS NULL ORDER BY accepted_at, rowid")

    def close(self) -> None:
        """Close the file."""
        with self._lock, suppress(sqlite3.Error):
            self._db.close()

    def _one(self, sql: str, parameters: Iterable[object]) -> Stored | None:
        return next(iter(self._many(sql, parameters)), None)

    def _many(self, sql: str, parameters: Iterable[object] = ()) -> list[Stored]:
        with self._lock:
            return [Stored(*row) for row in self._db.execute(sql, tuple(parameters)).fetchall()]
