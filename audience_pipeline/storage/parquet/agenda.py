"""The agenda in the state: what the rows of partitions want, written with them.

Belongs here: its statements. Does not belong here: what puts a row on it (:mod:`audience_pipeline.storage.agenda`). It
is written in the transaction that notes a partition's file, so it is never older than the file, whoever is killed; what
a rewrite leaves as it is costs nothing.
"""

import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from audience_pipeline.storage.agenda import Entry, Work
from audience_pipeline.storage.contract import Due, Pair
from audience_pipeline.storage.parquet.database import Database
from audience_pipeline.storage.parquet.layout import Partition
from audience_pipeline.tables import Table

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = ", ".join(Entry._fields)
_FORGET = "DELETE FROM agenda WHERE tbl = ? AND user_id = ? AND month = ? AND key = ?"
_NOTE = f"INSERT OR REPLACE INTO agenda (tbl, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - fixed names
_COMPLETED = (
    "INSERT INTO completions (tbl, platform_id, audience_id, at, key) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (tbl, platform_id, audience_id) DO UPDATE SET at = excluded.at, key = excluded.key"
    " WHERE (excluded.at, excluded.key) > (at, key)"
)
_DUE = {
    moment: f"SELECT key, user_id, platform_id, status, {moment} FROM agenda"  # noqa: S608 - fixed names
    f" WHERE tbl = ?1 AND {moment} <= ?2 AND (?3 IS NULL OR status IN (SELECT value FROM json_each(?3)))"
    f" ORDER BY {moment}, key LIMIT ?4"
    for moment in ("at", "look_at")
}
_PAIRS = """
SELECT audience_id, platform_id, max(key), max(at), sum(active) FROM (
  SELECT audience_id, platform_id, key, at, 0 AS active FROM completions
  WHERE tbl = ?1 AND platform_id IN (SELECT value FROM json_each(?2))
  UNION ALL
  SELECT audience_id, platform_id, NULL, NULL, 1 FROM agenda
  WHERE tbl = ?1 AND platform_id IN (SELECT value FROM json_each(?2))
    AND status IN (SELECT value FROM json_each(?4))
)
WHERE ?3 IS NULL OR audience_id IN (SELECT value FROM json_each(?3))
GROUP BY audience_id, platform_id ORDER BY audience_id, platform_id
"""


def put(db: sqlite3.Connection, table: str, index: str, work: Work) -> None:
    """Note what changed rows of ``table``, whose keys are in ``index``, come to; of rows that left, nothing more."""
    db.executemany(_FORGET, [(table, *place) for place in work.left])
    db.executemany(_NOTE, [(table, *each) for each in work.entries])
    db.executemany(_COMPLETED, [(index, *each) for each in work.completions])


def replace(db: sqlite3.Connection, table: str, index: str, partition: Partition, work: Work) -> None:
    """Note what all rows of a partition come to, and nothing else of it."""
    db.execute("DELETE FROM agenda WHERE tbl = ? AND user_id = ? AND month = ?", (table, *partition))
    put(db, table, index, work)


def due(
    state: Database, table: Table, now: datetime, statuses: Sequence[str] | None, limit: int, *, held: bool
) -> list[Due]:
    """Return what is due; see the contract."""
    names = None if statuses is None else json.dumps(list(statuses))
    found = state.rows(_DUE["at" if held else "look_at"], (table.name, _millis(now), names, limit))
    return [Due(key, user, platform, status, _moment(at)) for key, user, platform, status, at in found]


def pairs(state: Database, table: Table, platform_ids: Sequence[str], audience_ids: Sequence[str] | None) -> list[Pair]:
    """Return pairs; see the contract."""
    audiences = None if audience_ids is None else json.dumps(list(audience_ids))
    statuses = json.dumps(table.agenda.open if table.agenda else ())
    found = state.rows(_PAIRS, (table.name, json.dumps(list(platform_ids)), audiences, statuses))
    return [
        Pair(audience, platform, key, None if at is None else _moment(at), active)
        for audience, platform, key, at, active in found
    ]


def entries(state: Database, table: Table, partition: Partition) -> list[Entry]:
    """Return what is on record of a partition, in the order of its keys."""
    sql = f"SELECT {_COLUMNS} FROM agenda WHERE tbl = ? AND user_id = ? AND month = ? ORDER BY key"  # noqa: S608 - fixed names
    return [Entry(*row) for row in state.rows(sql, (table.name, *partition))]


def _millis(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _moment(millis: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=millis)
