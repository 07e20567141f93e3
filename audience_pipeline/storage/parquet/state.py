"""The store's small state: where each key lives, which partitions exist, and which are being written.

Belongs here: the statements on it. Does not belong here: Parquet files, or rules. Everything in it can be rebuilt from
the files, so losing it costs time and not data.

A key is *reserved* before its row is written anywhere, and *placed* once the file that holds it is synced; landing
marks the keys of records it took in *accepted* until they are folded into the table. A partition is *pending* from
before its file is replaced until the index agrees with it again; whoever takes the lock of a pending partition knows
that its writer died, and re-indexes it from the file.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from audience_pipeline.storage.agenda import NOTHING, Work
from audience_pipeline.storage.contract import Placement
from audience_pipeline.storage.parquet import agenda
from audience_pipeline.storage.parquet.database import Database
from audience_pipeline.storage.parquet.layout import Partition
from audience_pipeline.tables.landed import LINES_PER_FILE

_NONE: Mapping[str, bool] = {}
RESERVED, ACCEPTED, PLACED = 0, 1, 2
_PORTION = 10_000
UNREADABLE = -1
"""The rows on record of a file that could not be read when the state was made from the files."""

_PARTITIONS = (
    "SELECT user_id, month FROM partitions WHERE tbl = ?1 AND month BETWEEN ?2 AND ?3 AND (rows OR NOT ?4)"
    " ORDER BY month, user_id"
)
_PARTITIONS_OF_USERS = (
    "SELECT p.user_id, p.month FROM json_each(?5) AS j CROSS JOIN partitions AS p ON p.tbl = ?1"
    " AND p.user_id = j.value AND p.month BETWEEN ?2 AND ?3 AND (p.rows OR NOT ?4) ORDER BY p.month, p.user_id"
)
_PLACED_KEYS = (
    "SELECT key, user_id, month, archived FROM keys WHERE tbl = ? AND key > ? AND phase = ? ORDER BY key LIMIT ?"
)
_RESTORE_KEY = (
    "INSERT INTO keys (tbl, key, user_id, month, phase, position, accepted_month) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (tbl, key) DO UPDATE SET position = excluded.position, accepted_month = excluded.accepted_month"
)


class State(Database):
    """The statements on the state; one object serves the threads of a process."""

    def placements(self, table: str, keys: Sequence[str]) -> dict[str, Placement]:
        """Return where the known ones of ``keys`` live."""
        found = self.rows(
            "SELECT k.key, k.user_id, k.month, k.phase, k.archived FROM json_each(?) j"
            " CROSS JOIN keys k ON k.tbl = ? AND k.key = j.value",
            (json.dumps(list(keys)), table),
        )
        return {
            key: Placement(user, month, phase == PLACED, bool(archived)) for key, user, month, phase, archived in found
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

    def accept(self, table: str, places: Mapping[str, tuple[str, int]], now: datetime) -> bool:
        """Mark unknown keys as accepted by landing at their partitions; say whether all were unknown."""
        with self.transaction() as db:
            return self._reserve(db, table, places, ACCEPTED, now) == len(places)

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
                db.executemany(
                    "INSERT OR IGNORE INTO pending VALUES (?, ?, ?)", [(table, *each) for each in partitions]
                )
                self._reserve(db, index, keys, RESERVED, now)
        return not taken

    def forget(self, table: str, partition: Partition, index: str) -> None:
        """Drop what was noted of a partition that has no file: its writer died before the first one."""
        with self.transaction() as db:
            if index == table:
                db.execute(
                    "DELETE FROM keys WHERE tbl = ? AND user_id = ? AND month = ? AND phase = ?",
                    (index, *partition, RESERVED),
                )
            db.execute("DELETE FROM pending WHERE tbl = ? AND user_id = ? AND month = ?", (table, *partition))
            db.execute("DELETE FROM partitions WHERE tbl = ? AND user_id = ? AND month = ?", (table, *partition))
            agenda.replace(db, table, index, partition, NOTHING)

    @staticmethod
    def _reserve(
        db: sqlite3.Connection, table: str, places: Mapping[str, tuple[str, int]], phase: int, now: datetime
    ) -> int:
        """Note unknown keys; return how many there were."""
        month = now.year * 100 + now.month
        return db.executemany(
            "INSERT OR IGNORE INTO keys (tbl, key, user_id, month, phase, accepted_month) VALUES (?, ?, ?, ?, ?, ?)",
            [(table, key, *partition, phase, month) for key, partition in sorted(places.items())],
        ).rowcount

    def commit(
        self,
        table: str,
        sizes: Mapping[Partition, tuple[int, int]],
        index: str,
        positions: Mapping[str, int],
        *,
        placed: Mapping[str, bool] = _NONE,
        work: Work = NOTHING,
    ) -> None:
        """Note that the partitions' files are in place: (rows, bytes) of each, and what their keys now hold.

        ``placed`` are keys whose row is somewhere since, each with whether that is the archive.

        The numbers that ``positions`` are made of are taken from now on; concurrent writes that did not land may share
        one. Keys go in their order, so that those of one page of the index are written together.
        """
        number = max(positions.values(), default=0) // LINES_PER_FILE
        with self.transaction() as db:
            db.execute("UPDATE meta SET value = ?1 WHERE name = 'sequence' AND value < ?1", (number,))
            db.executemany(
                "UPDATE keys SET phase = ?, archived = ?, position = coalesce(?, position) WHERE tbl = ? AND key = ?",
                [(PLACED, archived, positions.get(key), index, key) for key, archived in sorted(placed.items())],
            )
            db.executemany(
                "UPDATE keys SET position = ? WHERE tbl = ? AND key = ?",
                [(positions[key], index, key) for key in sorted(positions.keys() - placed.keys())],
            )
            self.put_partitions(db, table, sizes)
            agenda.put(db, table, index, work)
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
        self,
        table: str,
        partition: Partition,
        index: str,
        keys: Mapping[str, bool],
        size: int,
        work: Work = NOTHING,
    ) -> None:
        """Make the ``index`` agree with a partition's file of ``size`` bytes: ``keys`` and ``work`` are those in it.

        Each key comes with whether it lives in the archive: those of a live file do not, whatever the archive has;
        what the archive has beside a live file does.
        """
        archived = index != table
        inside = [key for key, archives in keys.items() if archives == archived]
        copies = [key for key, archives in keys.items() if archives != archived]
        with self.transaction() as db:
            db.execute(
                "UPDATE keys SET archived = 1, phase = ? WHERE tbl = ? AND user_id = ? AND month = ? AND archived = 0"
                " AND key IN (SELECT value FROM json_each(?))",
                (PLACED, index, *partition, json.dumps(copies)),
            )
            db.execute(
                "DELETE FROM keys WHERE tbl = ? AND user_id = ? AND month = ? AND archived = ? AND phase != ?"
                " AND key NOT IN (SELECT value FROM json_each(?))",
                (index, *partition, archived, ACCEPTED, json.dumps(inside)),
            )
            db.executemany(
                "INSERT INTO keys (tbl, key, user_id, month, phase, archived) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (tbl, key) DO UPDATE SET phase = excluded.phase, user_id = excluded.user_id,"
                " month = excluded.month, archived = excluded.archived"
                " WHERE NOT (excluded.archived AND keys.phase = excluded.phase AND NOT keys.archived)",
                [(index, key, *partition, PLACED, archived) for key in inside],
            )
            self.put_partitions(db, table, {partition: (len(inside), size)})
            agenda.replace(db, table, index, partition, work)
            db.execute("DELETE FROM pending WHERE tbl = ? AND user_id = ? AND month = ?", (table, *partition))

    def partitions(
        self,
        table: str,
        *,
        users: Collection[str] | None = None,
        months: tuple[int, int] | None = None,
        filled: bool = False,
        newest_first: bool = False,
    ) -> list[Partition]:
        """Return the partitions of a table that have a file, or ``filled`` ones with rows, by users and months."""
        wanted = (table, *(months or (0, 999999)), int(filled))
        if users is None:
            found = self.rows(_PARTITIONS, wanted)
        else:
            found = self.rows(_PARTITIONS_OF_USERS, (*wanted, json.dumps(sorted(set(users)))))
        found = found[::-1] if newest_first else found
        return [Partition(user, month) for user, month in found]

    def homes(self, table: str, months: tuple[int, int] | None) -> list[tuple[str, int, int]]:
        """Return user, month and rows of the partitions that have rows."""
        return self.rows(
            "SELECT user_id, month, rows FROM partitions WHERE tbl = ? AND rows AND month BETWEEN ? AND ?"
            " ORDER BY user_id, month",
            (table, *(months or (0, 999999))),
        )

    def placed_keys(self, table: str) -> Iterator[list[tuple[str, Partition, bool]]]:
        """Return all placed keys of an index with their partition and whether they are archived, in portions."""
        last = ""
        while True:
            found = self.rows(_PLACED_KEYS, (table, last, PLACED, _PORTION))
            if not found:
                return
            yield [(key, Partition(user, month), bool(archived)) for key, user, month, archived in found]
            last = found[-1][0]

    def known_keys(self, table: str, *, archived: bool) -> list[tuple[str, str, int, bool, int, int]]:
        """Return key, user, month, whether it is placed, position and accepted month of all keys but reserved ones."""
        found = self.rows(
            "SELECT key, user_id, month, phase = ?, position, accepted_month FROM keys"
            " WHERE tbl = ? AND archived = ? AND phase != ? ORDER BY key",
            (PLACED, table, archived, RESERVED),
        )
        return [(key, user, month, bool(placed), *rest) for key, user, month, placed, *rest in found]

    def restore_keys(self, table: str, keys: Iterable[tuple[str, str, int, bool, int, int]]) -> None:
        """Note keys as :meth:`known_keys` returns them; unknown ones whose row is yet to be written as reserved."""
        with self.transaction() as db:
            db.executemany(
                _RESTORE_KEY,
                [
                    (table, key, user, month, RESERVED if placed else ACCEPTED, *rest)
                    for key, user, month, placed, *rest in keys
                ],
            )

    def recorded_size(self, table: str, partition: Partition) -> tuple[int, int] | None:
        """Return the (rows, bytes) on record for a partition's file."""
        found = self.rows(
            "SELECT rows, bytes FROM partitions WHERE tbl = ? AND user_id = ? AND month = ?", (table, *partition)
        )
        return found[0] if found else None

    def drop_partition(self, table: str, partition: Partition, index: str) -> None:
        """Forget a partition whose file is gone, and the keys placed in it, so that its rows can be written again."""
        with self.transaction() as db:
            db.execute(
                "DELETE FROM keys WHERE tbl = ? AND user_id = ? AND month = ? AND archived = ? AND phase = ?",
                (index, *partition, index != table, PLACED),
            )
            db.execute("DELETE FROM partitions WHERE tbl = ? AND user_id = ? AND month = ?", (table, *partition))
            db.execute("DELETE FROM pending WHERE tbl = ? AND user_id = ? AND month = ?", (table, *partition))
            agenda.replace(db, table, index, partition, NOTHING)

    def drop_key(self, table: str, key: str) -> None:
        """Forget a key whose row is in no file."""
        with self.transaction() as db:
            db.execute("DELETE FROM keys WHERE tbl = ? AND key = ?", (table, key))
