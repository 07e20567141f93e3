"""The landing log on disk: a ledger of landed files, and their accepted records as append-only Parquet parts.

Belongs here: numbering, staging, publishing and reading parts. Does not belong here: judging records, or folding them.

A file's parts are staged while it is judged. Publishing them is decided by one commit that lists them, and finished by
whoever comes next if this process is killed: renames are repeated until all are done, then the entry is *landed*. Each
part says in its metadata which file it came from, so the ledger can be rebuilt from the parts.
"""

import json
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from audience_pipeline.errors import storage_errors
from audience_pipeline.storage.ledger import LedgerEntry
from audience_pipeline.storage.parquet.core import Core
from audience_pipeline.storage.parquet.durable import make_parents, sync_paths
from audience_pipeline.storage.parquet.files import write_parquet
from audience_pipeline.storage.parquet.parts import by_month, in_groups, metadata_of, part_path, read_parts
from audience_pipeline.storage.parquet.state import ACCEPTED
from audience_pipeline.storage.restoring import LedgerLine, check_lines
from audience_pipeline.tables import LANDED, POSITION, SOURCES, Table
from audience_pipeline.tables.arrow import arrow_schema
from audience_pipeline.tables.landed import LINES_PER_FILE

_ENTRY = "SELECT number, tbl, digest, name, status, counts FROM ledger WHERE tbl = ?"

_RESTORE_ENTRY = "INSERT OR IGNORE INTO ledger (number, tbl, digest, name, status) VALUES (?, ?, ?, ?, 'open')"
_NOTE_MONTHS = (
    "INSERT OR IGNORE INTO folded_months SELECT DISTINCT number, month FROM landed_parts"
    " WHERE number = ? AND month BETWEEN ? AND ?"
)
_MONTHS_LEFT = (
    "SELECT month FROM landed_parts WHERE number = ?1"
    " AND month NOT IN (SELECT month FROM folded_months WHERE number = ?1) LIMIT 1"
)


class ParquetLanding:
    """The landing log of one Parquet store."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def open_file(self, table: Table, digest: str, name: str) -> LedgerEntry:
        """Return the entry of this content, made if it is new; see the contract."""
        with self._core.state.transaction() as db:
            if not db.execute("SELECT 1 FROM ledger WHERE tbl = ? AND digest = ?", (table.name, digest)).fetchone():
                number = self._core.state.next_number(db)
                values = (number, table.name, digest, name, "open")
                db.execute("INSERT INTO ledger (number, tbl, digest, name, status) VALUES (?, ?, ?, ?, ?)", values)
        self.unfinished(table)
        return self._entries(f"{_ENTRY} AND digest = ?", (table.name, digest))[0]

    def unfinished(self, table: Table) -> list[LedgerEntry]:
        """Return the entries still open, oldest first, once interrupted publications are finished."""
        entries = self._entries(f"{_ENTRY} AND status = 'open' ORDER BY number", (table.name,))
        decided = [entry for entry in entries if self._paths(entry)]
        for entry in decided:
            self._publish(entry)
        return [entry for entry in entries if entry not in decided]

    def stage(self, entry: LedgerEntry, rows: pa.Table) -> None:
        """Write accepted rows aside, a part a month; see the contract."""
        table = LANDED[entry.table]
        directory = self._staging(entry)
        with storage_errors(directory):
            directory.mkdir(parents=True, exist_ok=True)
            sequence = len(list(directory.iterdir()))
            for month, part in by_month(table, rows):
                path = directory / part_path(table, entry.number, sequence, month).name
                write_parquet(table, part, path, metadata_of(entry, month))
                sequence += 1

    def finish(self, entry: LedgerEntry, counts: Mapping[str, int]) -> frozenset[int]:
        """Publish what was staged; see the contract."""
        table = LANDED[entry.table]
        staged = sorted(self._staging(entry).glob("*.parquet"))
        with storage_errors(self._staging(entry)):
            sync_paths(staged, self._core.layout.root)
        parts = [_registered(table, entry, path) for path in staged]
        with self._core.state.transaction() as db:
            db.executemany("INSERT INTO landed_parts (number, month, path, rows) VALUES (?, ?, ?, ?)", parts)
            db.execute("UPDATE ledger SET counts = ? WHERE number = ?", (json.dumps(dict(counts)), entry.number))
        self._publish(entry)
        return self.months(entry)

    def _publish(self, entry: LedgerEntry) -> None:
        """Rename what the ledger lists into place, as far as it is not there yet, and mark the entry landed.

        One without accepted records has nothing to fold.
        """
        paths = self._paths(entry)
        publish(self._core.layout.root, self._staging(entry), paths)
        with self._core.state.transaction() as db:
            status = "landed" if paths else "folded"
            db.execute("UPDATE ledger SET status = ? WHERE number = ?", (status, entry.number))

    def months(self, entry: LedgerEntry) -> frozenset[int]:
        """Return the months of an entry; see the contract."""
        return frozenset(self.rows(entry))

    def rows(self, entry: LedgerEntry) -> dict[int, int]:
        """Return the records of an entry by month; see the contract."""
        sql = "SELECT month, sum(rows) FROM landed_parts WHERE number = ? GROUP BY month"
        return dict(self._core.state.rows(sql, (entry.number,)))

    def abandon(self, entry: LedgerEntry) -> None:
        """Drop what was staged, unless its publication was decided already; see the contract."""
        if not self._paths(entry):
            shutil.rmtree(self._staging(entry), ignore_errors=True)

    def unfolded(self, table: Table) -> list[LedgerEntry]:
        """Return the entries that landed and were not folded, oldest first; see the contract."""
        return self._entries(f"{_ENTRY} AND status = 'landed' ORDER BY number", (table.name,))

    def mark_folded(
        self, entries: Iterable[LedgerEntry], counts: Mapping[str, int], *, months: tuple[int, int] | None = None
    ) -> None:
        """Note that the entries' records, or those of some months, were upserted; see the contract."""
        with self._core.state.transaction() as db:
            for entry in entries:
                if months is None:
                    _close(db, entry.number, {**entry.counts, **counts})
                elif db.execute(_NOTE_MONTHS, (entry.number, *months)).rowcount:
                    _close_part(db, entry.number, counts)

    def waiting(self, table: Table, user_id: str) -> int:
        """Return how many accepted keys of a user are in no file yet; see the contract."""
        sql = "SELECT count(*) FROM keys WHERE tbl = ? AND user_id = ? AND accepted_month > 0 AND phase = ?"
        ((count,),) = self._core.state.rows(sql, (table.name, user_id, ACCEPTED))
        return int(count)

    def read(
        self, table: Table, *, months: tuple[int, int] | None = None, numbers: Sequence[int] | None = None
    ) -> pa.Table:
        """Return landed records in landing order; see the contract."""
        landed = LANDED[table.name]
        frame = pl.DataFrame(read_parts(landed, self._parts(landed, months, numbers)))
        ordered = frame if frame[POSITION].is_sorted() else frame.sort(POSITION)
        return ordered.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(arrow_schema(landed))

    def groups(self, table: Table, numbers: Sequence[int] | None = None) -> Iterator[pa.Table]:
        """Yield landed records in groups of bounded size; see the contract."""
        landed = LANDED[table.name]
        return in_groups(landed, self._parts(landed, None, numbers), self._core.layout.staging)

    def lines(self, table: Table) -> list[LedgerLine]:
        """Return all lines, oldest first, once interrupted publications are finished; see the contract."""
        self.unfinished(table)
        months: defaultdict[int, dict[int, int]] = defaultdict(dict)
        for number, month, rows in self._core.state.rows(
            "SELECT number, month, sum(rows) FROM landed_parts GROUP BY number, month"
        ):
            months[number][month] = rows
        folded: defaultdict[int, set[int]] = defaultdict(set)
        for number, month in self._core.state.rows("SELECT number, month FROM folded_months"):
            folded[number].add(month)
        entries = self._entries(f"{_ENTRY} ORDER BY number", (table.name,))
        return [LedgerLine(entry, months[entry.number], frozenset(folded[entry.number])) for entry in entries]

    def restore(self, table: Table, lines: Sequence[LedgerLine], rows: Iterable[pa.Table]) -> None:
        """Take over lines of another ledger with their records; see the contract."""
        check_lines([known for source in SOURCES for known in self.lines(source)], lines)
        entries = {line.entry.number: line.entry for line in lines}
        with self._core.state.transaction() as db:
            taken = [(each.number, table.name, each.digest, each.name) for each in entries.values()]
            db.executemany(_RESTORE_ENTRY, taken)
        waiting = {entry.number: entry for entry in self.unfinished(table) if entry.number in entries}
        for entry in waiting.values():
            self.abandon(entry)
        for group in rows:
            for number, part in _by_file(group):
                self.stage(waiting[number], part)
        for number, entry in waiting.items():
            if entries[number].status != "open":
                self.finish(entry, {})
        with self._core.state.transaction() as db:
            for line in lines:
                _restore_status(db, line)

    def files(self, table: Table, *, months: tuple[int, int] | None = None) -> list[str]:
        """Return the absolute paths of the published parts of a landed ``table``, oldest first."""
        return [str(path) for path in self._parts(table, months, None)]

    def parts(self, landed: Table, numbers: Sequence[int]) -> list[Path]:
        """Return the published parts of some files."""
        return self._parts(landed, None, numbers)

    def _parts(self, landed: Table, months: tuple[int, int] | None, numbers: Sequence[int] | None) -> list[Path]:
        source = landed.name.removeprefix("landed_")
        first, last = months or (0, 999_999)
        wanted = None if numbers is None else json.dumps(list(numbers))
        sql = (
            "SELECT p.path FROM landed_parts p JOIN ledger l ON l.number = p.number"
            " WHERE l.tbl = ? AND l.status != 'open' AND p.month BETWEEN ? AND ?"
            " AND (?4 IS NULL OR p.number IN (SELECT value FROM json_each(?4))) ORDER BY p.number, p.path"
        )
        found = self._core.state.rows(sql, (source, first, last, wanted))
        return [self._core.layout.root / path for (path,) in found]

    def _paths(self, entry: LedgerEntry) -> list[str]:
        found = self._core.state.rows("SELECT path FROM landed_parts WHERE number = ?", (entry.number,))
        return [path for (path,) in found]

    def _entries(self, sql: str, parameters: Sequence[object]) -> list[LedgerEntry]:
        found = self._core.state.rows(sql, parameters)
        return [
            LedgerEntry(number, table, digest, name, status, json.loads(counts))
            for number, table, digest, name, status, counts in found
        ]

    def _staging(self, entry: LedgerEntry) -> Path:
        return staging_directory(self._core.layout.staging, entry.number)


def _close(db: sqlite3.Connection, number: int, counts: Mapping[str, int]) -> None:
    """Mark an entry folded."""
    db.execute("UPDATE ledger SET status = 'folded', counts = ? WHERE number = ?", (json.dumps(dict(counts)), number))
    db.execute("DELETE FROM folded_months WHERE number = ?", (number,))


def _close_part(db: sqlite3.Connection, number: int, counts: Mapping[str, int]) -> None:
    """Add the counts of some months that were folded, and mark the entry folded if they were the last."""
    (text,) = db.execute("SELECT counts FROM ledger WHERE number = ?", (number,)).fetchone()
    known = json.loads(text)
    total = known | {name: known.get(name, 0) + count for name, count in counts.items()}
    db.execute("UPDATE ledger SET counts = ? WHERE number = ?", (json.dumps(total), number))
    if not db.execute(_MONTHS_LEFT, (number,)).fetchone():
        _close(db, number, total)


def _restore_status(db: sqlite3.Connection, line: LedgerLine) -> None:
    """Bring a file to where it is in another ledger, and note its number as taken."""
    entry = line.entry
    status = (entry.status, json.dumps(dict(entry.counts)), entry.number)
    db.execute("UPDATE ledger SET status = ?, counts = ? WHERE number = ?", status)
    folded = [(entry.number, month) for month in line.folded]
    db.executemany("INSERT OR IGNORE INTO folded_months (number, month) VALUES (?, ?)", folded)
    db.execute("UPDATE meta SET value = max(value, ?) WHERE name = 'sequence'", (entry.number,))


def _by_file(rows: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """Yield the landed records of each file with its number."""
    numbers = pl.Series(rows.column(POSITION)) // LINES_PER_FILE
    for number in numbers.unique().sort():
        yield number, rows.filter((numbers == number).to_arrow())


def staging_directory(staging: Path, number: int) -> Path:
    """Return where the parts of file ``number`` wait until they are published."""
    return staging / f"landing-{number}"


def publish(root: Path, staged: Path, paths: Iterable[str]) -> None:
    """Rename the parts at ``paths`` (below ``root``) into place from the directory ``staged``, and remove that."""
    changed: set[str] = set()
    with storage_errors(staged):
        for path in paths:
            if (waiting := staged / Path(path).name).exists():
                changed.update(make_parents(root / path, root))
                waiting.replace(root / path)
        sync_paths(changed, root)
    shutil.rmtree(staged, ignore_errors=True)


def _registered(table: Table, entry: LedgerEntry, staged: Path) -> tuple[int, int, str, int]:
    """Return a staged part as the ledger lists it: file number, month, relative path, rows."""
    month = int(staged.stem.rpartition("-")[2])
    sequence = int(staged.stem.split("-")[1])
    return entry.number, month, str(part_path(table, entry.number, sequence, month)), pq.read_metadata(staged).num_rows
