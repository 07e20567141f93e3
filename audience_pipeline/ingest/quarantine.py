"""Refused records, kept with their reasons until they are accepted or dropped.

Belongs here: the database of refused records. Does not belong here: deciding what is refused, or trying again.

One SQLite file, so that an entry is there whole or not at all (WAL, every commit synced). An entry is one content: the
same line refused again, in whatever file, raises its count. Secrets never get here (:mod:`.secrets`).
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from audience_pipeline.errors import CorruptionError, StorageError, UsageError, storage_errors
from audience_pipeline.ingest.chunks import RefusedLine
from audience_pipeline.ingest.moments import iso
from audience_pipeline.tables import TABLES, Problem, Table

FILE_NAME = "quarantine.sqlite"
_LONGEST_KEY = 100
_IDENTIFY = "UPDATE entries SET row_key = :row_key, version = :version WHERE tbl = :tbl AND digest = :digest"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
  tbl TEXT NOT NULL, digest TEXT NOT NULL, file TEXT NOT NULL, line INTEGER NOT NULL, offset INTEGER NOT NULL,
  length INTEGER NOT NULL, reasons TEXT NOT NULL, first_seen TEXT NOT NULL, last_seen TEXT NOT NULL,
  seen INTEGER NOT NULL, waiting_for TEXT NOT NULL, record BLOB, head BLOB NOT NULL, row_key TEXT, version TEXT,
  PRIMARY KEY (tbl, digest)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS waiting ON entries (tbl) WHERE waiting_for != '[]';
"""
_ADDED = ("row_key", "version")
_BY_KEY = "CREATE INDEX IF NOT EXISTS by_key ON entries (tbl, row_key) WHERE row_key IS NOT NULL"
_PUT = """
INSERT INTO entries (tbl, digest, file, line, offset, length, reasons, first_seen, last_seen, seen, waiting_for, record,
  head, row_key, version)
VALUES (:tbl, :digest, :file, :line, :offset, :length, :reasons, :now, :now, 1, :waiting_for, :record, :head, :row_key,
  :version)
ON CONFLICT (tbl, digest) DO UPDATE SET reasons = excluded.reasons, last_seen = excluded.last_seen, seen = seen + 1,
  waiting_for = excluded.waiting_for
"""
_COLUMNS = (
    "tbl, digest, file, line, offset, length, reasons, first_seen, last_seen, seen, waiting_for,"
    " record IS NOT NULL AS retryable"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One refused record: where it was first seen, and why it was refused last.

    ``retryable`` says whether the record itself was kept; otherwise it must be sent again.
    """

    table: str
    digest: str
    file: str
    line: int
    offset: int
    length: int
    problems: tuple[Problem, ...]
    first_seen: str
    last_seen: str
    seen: int
    waiting_for: tuple[str, ...]
    retryable: bool


class Quarantine:
    """The quarantine of one installation; its file is made when the first record is put in."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME

    def put(self, table: str, file: str, refused: Sequence[RefusedLine], now: datetime) -> None:
        """Keep refused lines of ``file``, all of them or, on an error, none."""
        if not refused:
            return
        with self._writing() as db:
            db.executemany(_PUT, [_parameters(table, file, each, now) for each in refused])

    def remove(self, entries: Iterable[Entry]) -> None:
        """Drop entries, but none whose record was refused once more since it was looked up."""
        known = [(entry.table, entry.digest, entry.seen) for entry in entries]
        with self._writing() as db:
            db.executemany("DELETE FROM entries WHERE tbl = ? AND digest = ? AND seen = ?", known)

    def records(self, table: str) -> Iterator[bytes]:
        """Yield the records of a table that were kept."""
        if self.path.exists():
            with self._opened() as db:
                for (found,) in db.execute("SELECT record FROM entries WHERE tbl = ? AND record IS NOT NULL", (table,)):
                    yield found

    def rewrite(self, table: str, change: Callable[[bytes], bytes]) -> int:
        """Replace kept records of a table by what ``change`` makes of them, all or none; return how many it changed.

        An entry's digest stays that of the record as it was sent.
        """
        if not self.path.exists():
            return 0
        changed = 0
        with self._writing() as db:
            kept = "SELECT digest, record FROM entries WHERE tbl = ? AND record IS NOT NULL"
            for digest, found in db.execute(kept, (table,)).fetchall():
                if (fresh := change(found)) != found:
                    values = (fresh, table, digest)
                    db.execute("UPDATE entries SET record = ? WHERE tbl = ? AND digest = ?", values)
                    changed += 1
        return changed

    def entries(self, table: str | None = None) -> list[Entry]:
        """Return all entries, of one table if given, oldest first."""
        sql = f"SELECT {_COLUMNS} FROM entries WHERE ?1 IS NULL OR tbl = ?1 ORDER BY first_seen, file, line"  # noqa: S608 - fixed parts
        return self._select(sql, (table,))

    def waiting(self, since: datetime) -> Iterator[tuple[Entry, bytes]]:
        """Yield the entries first seen at or after ``since`` that wait for references, with their records."""
        if not self.path.exists():
            return
        sql = f"SELECT {_COLUMNS}, record FROM entries WHERE waiting_for != '[]' AND first_seen >= ? AND retryable"  # noqa: S608 - fixed parts
        with self._opened() as db:
            for row in db.execute(f"{sql} ORDER BY first_seen, file, line", (iso(since),)):
                values = dict(row)
                record = values.pop("record")
                yield _entry(values), record

    def find(self, prefix: str, table: str | None = None) -> Entry:
        """Return the one entry, of one table if given, whose digest starts with ``prefix``.

        Raises:
            UsageError: there is none, or more than one.
        """
        sql = f"SELECT {_COLUMNS} FROM entries WHERE substr(digest, 1, length(?1)) = ?1 AND (?2 IS NULL OR tbl = ?2)"  # noqa: S608 - fixed parts
        found = self._select(sql, (prefix.lower(), table))
        if len(found) == 1:
            return found[0]
        tables = sorted({entry.table for entry in found})
        where = f" in {' and '.join(tables)}" if tables else f" in {table}" if table else ""
        more = " and --table" if len(tables) > 1 else ""
        subject = f"quarantine entry {prefix}"
        raise UsageError(
            subject,
            found=f"{len(found)} entries{where}",
            expected="exactly one whose digest starts with it",
            remedy=f"`audience-pipeline quarantine list` shows the digests; give more of one{more}.",
        )

    def of_keys(self, table: Table, keys: Iterable[str]) -> list[tuple[str, str, str | None, str]]:
        """Return key, digest, version and when it was refused last of the refused records of keys.

        The version is the text the record has, whatever it says; None where it has none. Records that were kept
        nowhere, since they may hold a secret, have no key here.
        """
        sql = (
            "SELECT row_key, digest, version, last_seen FROM entries"
            " WHERE tbl = ?1 AND row_key IN (SELECT value FROM json_each(?2))"
        )
        if not self.path.exists():
            return []
        with self._opened() as db:
            if not _is_current(db):
                return []
            return [tuple(row) for row in db.execute(sql, (table.name, json.dumps(sorted(set(keys)))))]

    def content(self, entry: Entry) -> tuple[bytes | None, bytes]:
        """Return what was kept of a record: its bytes, or None and its first bytes where those are harmless."""
        sql = "SELECT record, head FROM entries WHERE tbl = ? AND digest = ?"
        with self._opened() as db:
            found = db.execute(sql, (entry.table, entry.digest)).fetchone()
        return (found["record"], found["head"]) if found else (None, b"")

    def _select(self, sql: str, parameters: Sequence[Any]) -> list[Entry]:
        if not self.path.exists():
            return []
        with self._opened() as db:
            return [_entry(dict(row)) for row in db.execute(sql, parameters)]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with storage_errors(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with self._opened() as db:
            db.executescript(_SCHEMA)
            db.execute("BEGIN IMMEDIATE")
            _bring_up_to_date(db)
            yield db
            db.execute("COMMIT")

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as db:
                db.row_factory = sqlite3.Row
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                yield db
        except sqlite3.OperationalError as error:
            remedy = "Free space or mend permissions, and run again: what is refused must be kept first."
            raise StorageError(
                self.path, found=str(error), expected="a quarantine that can be written", remedy=remedy
            ) from error
        except sqlite3.DatabaseError as error:
            remedy = "Restore it from a backup, or move its directory away: a new one is made, without what it held."
            raise CorruptionError(
                self.path, found=str(error), expected="a sound quarantine database", remedy=remedy
            ) from error


def _parameters(table: str, file: str, refused: RefusedLine, now: datetime) -> dict[str, Any]:
    return {
        "tbl": table,
        "digest": refused.digest,
        "file": file,
        "line": refused.number,
        "offset": refused.offset,
        "length": refused.length,
        "reasons": json.dumps([asdict(problem) for problem in refused.problems]),
        "now": iso(now),
        "waiting_for": json.dumps(refused.waiting_for),
        "record": refused.record,
        "head": refused.head,
        **_identity(table, refused.record or refused.head),
    }


def _identity(table: str, record: bytes | None) -> dict[str, str | None]:
    """Return the key of a record, and its version as it stands there, where both can be told."""
    declared = TABLES[table]
    try:
        found = msgspec.json.decode(record or b"null")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    named = found if isinstance(found, dict) else {}
    key, version = _short(named.get(declared.key)), _short(named.get(declared.version or ""))
    return {"row_key": key.lower() if key else None, "version": version}


def _short(value: object) -> str | None:
    """Return a text that may be a key or a time; anything else is none."""
    return value if isinstance(value, str) and len(value) <= _LONGEST_KEY else None


def _is_current(db: sqlite3.Connection) -> bool:
    return {row["name"] for row in db.execute("PRAGMA table_info(entries)")}.issuperset(_ADDED)


def _bring_up_to_date(db: sqlite3.Connection) -> None:
    """Add what an earlier release did not keep, for the records it kept, too."""
    if not _is_current(db):
        for name in _ADDED:
            db.execute(f"ALTER TABLE entries ADD COLUMN {name} TEXT")
        for row in db.execute("SELECT tbl, digest, record FROM entries").fetchall():
            known = {**_identity(row["tbl"], row["record"]), "tbl": row["tbl"], "digest": row["digest"]}
            db.execute(_IDENTIFY, known)
    db.execute(_BY_KEY)


def _entry(row: Mapping[str, Any]) -> Entry:
    values = dict(row)
    problems = tuple(Problem(**each) for each in json.loads(values.pop("reasons")))
    waiting_for = tuple(json.loads(values.pop("waiting_for")))
    retryable = bool(values.pop("retryable"))
    return Entry(values.pop("tbl"), problems=problems, waiting_for=waiting_for, retryable=retryable, **values)
