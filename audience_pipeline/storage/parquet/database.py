"""The state database: one SQLite file, its schema, and transactions on it.

Belongs here: opening, the format version, committing, and saying what is wrong with the file. Does not belong here:
what the rows mean (:mod:`.state`). One machine shares the file: write-ahead log, every commit synced.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from audience_pipeline.errors import CorruptionError, StorageError, UsageError, storage_errors

FORMAT_VERSION = 2
_CACHE_KIB = 32 * 1024
"""Keys are random, so the changes of one commit touch pages all over the index; these should stay in memory."""
_CHECKPOINT_PAGES = 8_000

SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE keys (
  tbl TEXT NOT NULL, key TEXT NOT NULL, user_id TEXT NOT NULL, month INTEGER NOT NULL,
  phase INTEGER NOT NULL, archived INTEGER NOT NULL DEFAULT 0,
  position INTEGER NOT NULL DEFAULT 0, accepted_month INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (tbl, key)
) WITHOUT ROWID;
CREATE INDEX keys_by_acceptance ON keys (tbl, user_id, accepted_month) WHERE accepted_month > 0;
CREATE TABLE partitions (
  tbl TEXT NOT NULL, user_id TEXT NOT NULL, month INTEGER NOT NULL, rows INTEGER NOT NULL,
  bytes INTEGER NOT NULL, PRIMARY KEY (tbl, user_id, month)
) WITHOUT ROWID;
CREATE INDEX partitions_by_month ON partitions (tbl, month);
CREATE TABLE pending (
  tbl TEXT NOT NULL, user_id TEXT NOT NULL, month INTEGER NOT NULL, PRIMARY KEY (tbl, user_id, month)
) WITHOUT ROWID;
CREATE TABLE agenda (
  tbl TEXT NOT NULL, key TEXT NOT NULL, user_id TEXT NOT NULL, month INTEGER NOT NULL, status TEXT NOT NULL,
  audience_id TEXT NOT NULL, platform_id TEXT NOT NULL, at INTEGER NOT NULL, look_at INTEGER NOT NULL,
  PRIMARY KEY (tbl, user_id, month, key)
) WITHOUT ROWID;
CREATE INDEX agenda_by_look ON agenda (tbl, look_at);
CREATE TABLE completions (
  tbl TEXT NOT NULL, platform_id TEXT NOT NULL, audience_id TEXT NOT NULL, at INTEGER NOT NULL, key TEXT NOT NULL,
  PRIMARY KEY (tbl, platform_id, audience_id)
) WITHOUT ROWID;
CREATE TABLE ledger (
  number INTEGER PRIMARY KEY, tbl TEXT NOT NULL, digest TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
  counts TEXT NOT NULL DEFAULT '{}', UNIQUE (tbl, digest)
);
CREATE TABLE landed_parts (
  number INTEGER NOT NULL, month INTEGER NOT NULL, path TEXT NOT NULL PRIMARY KEY, rows INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE folded_months (
  number INTEGER NOT NULL, month INTEGER NOT NULL, PRIMARY KEY (number, month)
) WITHOUT ROWID;
"""

_MEND = "Free space or mend permissions, and run again."
_REBUILD = "Run again: it is rebuilt from the data files once no other process has the store open."
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR_SHORT_READ}
_DAMAGED_SCHEMA = ("no such table", "no such column", "unsupported file format", "Could not decode")


class Database:
    """One connection to the state, shared by the threads of a process; a file that is not there is made.

    Raises CorruptionError where the file is damaged or an earlier release wrote it, so that it is rebuilt, UsageError
    where a later one did; none of them is changed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        new = not path.exists()
        if new:
            with storage_errors(path):
                path.touch(mode=0o600)
        with self._told():
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        try:
            with self._told():
                self._set_up(new=new)
        except BaseException:
            self._db.close()
            raise

    def _set_up(self, *, new: bool) -> None:
        """Check the format before anything is written; then choose how to write, and make the tables of a new file."""
        if not new:
            self._check_format()
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        if new:
            self._db.executescript(SCHEMA)
            self._db.execute("INSERT INTO meta VALUES ('format', ?), ('sequence', 0)", (FORMAT_VERSION,))

    def _check_format(self) -> None:
        found = self._db.execute("SELECT value FROM meta WHERE name = 'format'").fetchall()
        if found and found[0][0] < FORMAT_VERSION:
            raise damaged(self.path, f"store format {found[0][0]}, of an earlier release")
        if found != [(FORMAT_VERSION,)]:
            raise UsageError(
                self.path,
                found=f"store format {found[0][0] if found else 'of no number'}",
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
            with self._told():
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                except BaseException:
                    with suppress(sqlite3.OperationalError):  # after some errors SQLite has done it by itself
                        self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one read and return its rows."""
        with self._lock, self._told():
            return self._db.execute(sql, parameters).fetchall()

    def damage(self) -> str | None:
        """Read the whole database; return what is wrong with it, or None."""
        try:
            ((first,), *_) = self.rows("PRAGMA integrity_check(1)")
        except CorruptionError as error:
            return error.found
        if first == "ok":
            return None
        self._mark()
        return str(first)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say what an error of SQLite means, and have a damaged file rebuilt by whoever opens it next."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                expected = "a readable state database"
                raise StorageError(self.path, found=str(error), expected=expected, remedy=_MEND) from error
            self._mark()
            raise damaged(self.path, str(error)) from error

    def _mark(self) -> None:
        with suppress(OSError):
            damage_mark(self.path).touch(mode=0o600)

    def last_number(self) -> int:
        """Return the highest number of the sequence that is taken."""
        ((number,),) = self.rows("SELECT value FROM meta WHERE name = 'sequence'")
        return int(number)

    def next_number(self, db: sqlite3.Connection) -> int:
        """Take the next number of the sequence that orders landed files and direct writes."""
        (number,) = db.execute("UPDATE meta SET value = value + 1 WHERE name = 'sequence' RETURNING value").fetchone()
        return int(number)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._db.close()


def damage_mark(path: Path) -> Path:
    """Return the empty file that says the database at ``path`` turned out to be damaged."""
    return path.with_name(f"{path.name}-damaged")


def damaged(path: Path, found: str) -> CorruptionError:
    """Return what to raise over a damaged database."""
    return CorruptionError(path, found=found, expected="a sound state database", remedy=_REBUILD)


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Return whether the bytes are wrong, not the machine; errors of Python's own module carry no code."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return bool(_DAMAGE & {code, code & 0xFF}) or str(error).startswith(_DAMAGED_SCHEMA)
