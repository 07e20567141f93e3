"""The state database: one SQLite file, its schema, and transactions on it.

Belongs here: opening, the format version, committing, and saying what is wrong with the file. Does not belong here:
what the rows mean (:mod:`.state`). One machine shares the file: write-ahead log, every commit synced.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audience_pipeline.errors import CorruptionError, StorageError, UsageError, storage_errors

FORMAT_VERSION = 1
_CACHE_KIB = 32 * 1024
"""Keys are random, so the changes of one commit touch pages all over the index; these should stay in memory."""
_CHECKPOINT_PAGES = 8_000

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (
  tbl TEXT NOT NULL, key TEXT NOT NULL, user_id TEXT NOT NULL, month INTEGER NOT NULL,
  phase INTEGER NOT NULL, archived INTEGER NOT NULL DEFAULT 0,
  position INTEGER NOT NULL DEFAULT 0, accepted_month INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (tbl, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS keys_by_acceptance ON keys (tbl, user_id, accepted_month) WHERE accepted_month > 0;
CREATE TABLE IF NOT EXISTS partitions (
  tbl TEXT NOT NULL, user_id TEXT NOT NULL, month INTEGER NOT NULL, rows INTEGER NOT NULL,
  bytes INTEGER NOT NULL, PRIMARY KEY (tbl, user_id, month)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS partitions_by_month ON partitions (tbl, month);
CREATE TABLE IF NOT EXISTS pending (
  tbl TEXT NOT NULL, user_id TEXT NOT NULL, month INTEGER NOT NULL, PRIMARY KEY (tbl, user_id, month)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ledger (
  number INTEGER PRIMARY KEY, tbl TEXT NOT NULL, digest TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
  counts TEXT NOT NULL DEFAULT '{}', UNIQUE (tbl, digest)
);
CREATE TABLE IF NOT EXISTS landed_parts (
  number INTEGER NOT NULL, month INTEGER NOT NULL, path TEXT NOT NULL PRIMARY KEY, rows INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS folded_months (
  number INTEGER NOT NULL, month INTEGER NOT NULL, PRIMARY KEY (number, month)
) WITHOUT ROWID;
"""

_MEND = "Free space or mend permissions, and run again."
_REBUILD = "End what uses the store and remove the file: the next command rebuilds it from the data files."


class Database:
    """One connection to the state, shared by the threads of a process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        with storage_errors(path):
            path.touch(mode=0o600)
        try:
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            self._db.executescript(SCHEMA)
            self._check_format()
        except sqlite3.DatabaseError as error:
            raise _broken(path, error) from error

    def _check_format(self) -> None:
        with self.transaction() as db:
            db.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?), ('sequence', 0)", (FORMAT_VERSION,))
            (found,) = db.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
        if found != FORMAT_VERSION:
            raise UsageError(
                self.path,
                found=f"store format {found}",
                expected=f"format {FORMAT_VERSION}",
                remedy="Use the release of audience_pipeline that wrote this store, or the newest one.",
            )

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a write transaction: committed and synced at the end, rolled back on any error; a nested one joins."""
        with self._lock:
            if self._db.in_transaction:
                yield self._db
                return
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.DatabaseError as error:
                raise _broken(self.path, error) from error

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one read and return its rows."""
        with self._lock:
            try:
                return self._db.execute(sql, parameters).fetchall()
            except sqlite3.DatabaseError as error:
                raise _broken(self.path, error) from error

    def next_number(self, db: sqlite3.Connection) -> int:
        """Take the next number of the sequence that orders landed files and direct writes."""
        (number,) = db.execute("UPDATE meta SET value = value + 1 WHERE name = 'sequence' RETURNING value").fetchone()
        return int(number)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._db.close()


def _broken(path: Path, error: sqlite3.DatabaseError) -> StorageError:
    damaged = "malformed" in str(error) or "not a database" in str(error)
    kind, remedy = (CorruptionError, _REBUILD) if damaged else (StorageError, _MEND)
    return kind(path, found=str(error), expected="a readable state database", remedy=remedy)
