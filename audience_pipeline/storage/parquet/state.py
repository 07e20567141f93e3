"""The store's small state in SQLite: key index, partition list, pending writes, ledger, format version.

Belongs here: the schema and the statements on it. Does not belong here: Parquet files, or rules. Everything in it can be
rebuilt from the files, so losing it costs time and not data. One machine shares it (WAL, every commit synced).

A key is *reserved* before its row is written anywhere, and *placed* once the file that holds it is synced; landing marks
the keys of records it took in *accepted* until they are folded into the table. A partition is *pending* from before its file is replaced until the index agrees with it again; whoever takes the
lock of a pending partition knows that its writer died, and re-indexes it from the file.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from audience_pipeline.errors import CorruptionError, StorageError, UsageError
from audience_pipeline.storage.contract import Placement
from audience_pipeline.storage.parquet.layout import Partition

FORMAT_VERSION = 1
RESERVED, ACCEPTED, PLACED = 0, 1, 2
_PORTION = 10_000

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
"""


class State:
    """One connection to the state, shared by the threads of a process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
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

    def placements(self, table: str, keys: Sequence[str]) -> dict[str, Placement]:
        """Return where the known ones of ``keys`` live."""
        found = self.rows(
            "SELECT k.key, k.user_id, k.month, k.phase, k.archived FROM json_each(?) j"
            " CROSS JOIN keys k ON k.tbl = ? AND k.key = j.value",
            (json.dumps(list(keys)), table),
        )
        return {
            key: Placement(user, month, placed=phase == PLACED, archived=bool(archived))
            for key, user, month, phase, archived in found
        }

    def positions(self, table: str, keys: Sequence[str]) -> dict[str, int]:
        """Return the landed position of the version each of ``keys`` holds."""
        found = self.rows(
            "SELECT k.key, k.position FROM json_each(?) j CROSS JOIN keys k ON k.tbl = ? AND k.key = j.value",
            (json.dumps(list(keys)), table),
        )
        return dict(found)

    def accepted(self, table: str, user_id: str, month: int) -> int:
        """Return how many keys of a user were first accepted, or written, in a UTC month."""
        ((count,),) = self.rows(
            "SELECT count(*) FROM keys WHERE tbl = ? AND user_id = ? AND accepted_month = ? AND accepted_month > 0",
            (table, user_id, month),
        )
        return int(count)

    def accept(self, table: str, places: Mapping[str, Partition], now: datetime) -> None:
        """Mark unknown keys as accepted by landing at their partitions; known ones stay as they are."""
        with self.transaction() as db:
            self._reserve(db, table, places, ACCEPTED, now)

    def begin(
        self, table: str, partitions: Iterable[Partition], index: str, keys: Mapping[str, Partition], now: datetime
    ) -> bool:
        """Mark partitions of ``table`` pending and reserve new ``keys`` in its ``index``.

        Returns False, and notes nothing, when another writer reserved one of the keys at another place meanwhile.
        """
        places = json.dumps([[key, *partition] for key, partition in keys.items()])
        with self.transaction() as db:
            (taken,) = db.execute(
                "SELECT EXISTS (SELECT 1 FROM json_each(?) j CROSS JOIN keys k ON k.tbl = ? AND k.key = j.value ->> 0"
                " WHERE k.user_id != j.value ->> 1 OR k.month != j.value ->> 2)",
                (places, index),
            ).fetchone()
            if not taken:
                db.executemany("INSERT OR IGNORE INTO pending VALUES (?, ?, ?)", [(table, *each) for each in partitions])
                self._reserve(db, index, keys, RESERVED, now)
        return not taken

    def forget(self, table: str, partition: Partition, index: str) -> None:
        """Drop what was noted of a partition that has no file: its writer died before the first one."""
        with self.transaction() as db:
            db.execute(
                "DELETE FROM keys WHERE tbl = ? AND user_id = ? AND month = ? AND phase = ?", (index, *partition, RESERVED)
            )
            db.execute("DELETE FROM pending WHERE tbl = ? AND user_id = ? AND month = ?", (table, *partition))
            db.execute("DELETE FROM partitions WHERE tbl = ? AND user_id = ? AND month = ?", (table, *partition))

    @staticmethod
    def _reserve(
        db: sqlite3.Connection, table: str, places: Mapping[str, Partition], phase: int, now: datetime
    ) -> None:
        month = now.year * 100 + now.month
        db.executemany(
            "INSERT OR IGNORE INTO keys (tbl, key, user_id, month, phase, accepted_month) VALUES (?, ?, ?, ?, ?, ?)",
            [(table, key, *partition, phase, month) for key, partition in places.items()],
        )

    def commit(
        self,
        table: str,
        sizes: Mapping[Partition, tuple[int, int]],
        index: str,
        positions: Mapping[str, int],
        *,
        placed: Iterable[str] = (),
        archived: bool = False,
    ) -> None:
        """Note that the partitions' files are in place: (rows, bytes) of each, and what their keys now hold."""
        with self.transaction() as db:
            db.executemany(
                "UPDATE keys SET phase = ?, archived = ? WHERE tbl = ? AND key = ?",
                [(PLACED, archived, index, key) for key in placed],
            )
            db.executemany(
                "UPDATE keys SET position = ? WHERE tbl = ? AND key = ?",
                [(position, index, key) for key, position in positions.items()],
            )
            self.put_partitions(db, table, sizes)
            db.executemany(
                "DELETE FROM pending WHERE tbl = ? AND user_id = ? AND month = ?", [(table, *each) for each in sizes]
            )

    @staticmethod
    def put_partitions(db: sqlite3.Connection, table: str, sizes: Mapping[Partition, tuple[int, int]]) -> None:
        """Record (rows, bytes) of partition files."""
        db.executemany(
            "INSERT OR REPLACE INTO partitions VALUES (?, ?, ?, ?, ?)",
            [(table, *partition, rows, size) for partition, (rows, size) in sizes.items()],
        )

    def pending(self, table: str | None = None) -> list[tuple[str, Partition]]:
        """Return the partitions a writer is replacing, or died replacing."""
        found = self.rows("SELECT tbl, user_id, month FROM pending WHERE ?1 IS NULL OR tbl = ?1", (table,))
        return [(name, Partition(user, month)) for name, user, month in found]

    def reindex(
        self, table: str, partition: Partition, index: str, keys: Sequence[str], size: int, *, archived: bool
    ) -> None:
        """Make the ``index`` agree with a partition's file of ``size`` bytes: ``keys`` are the ones in it."""
        with self.transaction() as db:
            db.execute(
                "DELETE FROM keys WHERE tbl = ? AND user_id = ? AND month = ? AND archived = ? AND phase != ?"
                " AND key NOT IN (SELECT value FROM json_each(?))",
                (index, *partition, archived, ACCEPTED, json.dumps(list(keys))),
            )
            db.executemany(
                "INSERT INTO keys (tbl, key, user_id, month, phase, archived) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (tbl, key) DO UPDATE SET phase = excluded.phase, user_id = excluded.user_id,"
                " month = excluded.month, archived = excluded.archived",
                [(index, key, *partition, PLACED, archived) for key in keys],
            )
            self.put_partitions(db, table, {partition: (len(keys), size)})
            db.execute("DELETE FROM pending WHERE tbl = ? AND user_id = ? AND month = ?", (table, *partition))

    def partitions(
        self, table: str, *, user_id: str | None = None, months: tuple[int, int] | None = None, newest_first: bool = False
    ) -> list[Partition]:
        """Return the partitions of a table that have a file, by user and month range."""
        first, last = months or (0, 999999)
        order = "DESC" if newest_first else "ASC"
        if user_id is None:
            sql = f"SELECT user_id, month FROM partitions WHERE tbl = ? AND month BETWEEN ? AND ? ORDER BY month {order}, user_id"
            found = self.rows(sql, (table, first, last))
        else:
            sql = f"SELECT user_id, month FROM partitions WHERE tbl = ? AND user_id = ? AND month BETWEEN ? AND ? ORDER BY month {order}"
            found = self.rows(sql, (table, user_id, first, last))
        return [Partition(user, month) for user, month in found]

    def placed_keys(self, table: str) -> Iterator[list[tuple[str, Partition, bool]]]:
        """Return all placed keys of an index with their partition and whether they are archived, in portions."""
        last = ""
        while True:
            found = self.rows(
                "SELECT key, user_id, month, archived FROM keys WHERE tbl = ? AND key > ? AND phase = ? ORDER BY key LIMIT ?",
                (table, last, PLACED, _PORTION),
            )
            if not found:
                return
            yield [(key, Partition(user, month), bool(archived)) for key, user, month, archived in found]
            last = found[-1][0]

    def recorded_size(self, table: str, partition: Partition) -> tuple[int, int] | None:
        """Return the (rows, bytes) on record for a partition's file."""
        found = self.rows("SELECT rows, bytes FROM partitions WHERE tbl = ? AND user_id = ? AND month = ?", (table, *partition))
        return found[0] if found else None

    def drop_partition(self, table: str, partition: Partition, index: str) -> None:
        """Forget a partition whose file is gone, and its keys, so that its rows can be written again."""
        with self.transaction() as db:
            db.execute("DELETE FROM keys WHERE tbl = ? AND user_id = ? AND month = ?", (index, *partition))
            db.execute("DELETE FROM partitions WHERE tbl = ? AND user_id = ? AND month = ?", (table, *partition))
            db.execute("DELETE FROM pending WHERE tbl = ? AND user_id = ? AND month = ?", (table, *partition))

    def drop_key(self, table: str, key: str) -> None:
        """Forget a key whose row is in no file."""
        with self.transaction() as db:
            db.execute("DELETE FROM keys WHERE tbl = ? AND key = ?", (table, key))

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._db.close()


def _broken(path: Path, error: sqlite3.DatabaseError) -> StorageError:
    kind = CorruptionError if "malformed" in str(error) or "not a database" in str(error) else StorageError
    return kind(
        path,
        found=str(error),
        expected="a readable state database",
        remedy="Free space or mend permissions; if the file is damaged, run `audience-pipeline verify --repair`.",
    )
