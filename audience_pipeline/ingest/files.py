"""One file landed: its records judged, the accepted ones written append-only, the refused ones put in quarantine.

Belongs here: the order of steps for one file. Does not belong here: any judgement, which files are due
(:mod:`.landing`), or folding what landed into the tables (:mod:`.run`).

A file is landed under its table's lock and its number in the ledger. Whatever is interrupted is done again: accepted
rows are staged until the whole file is judged, and refused lines are kept before that; repeated, both are the same.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
import pyarrow as pa

from audience_pipeline.errors import PipelineError, storage_errors
from audience_pipeline.ingest import plaintext, reasons
from audience_pipeline.ingest.admission import Admission
from audience_pipeline.ingest.batches import Batch, batches
from audience_pipeline.ingest.chunks import LINE_NUMBER, Chunks, RefusedLine
from audience_pipeline.ingest.lines import Block, LongLine, blocks
from audience_pipeline.ingest.moments import millis
from audience_pipeline.ingest.quarantine import Quarantine
from audience_pipeline.ingest.records import Records
from audience_pipeline.ingest.rules import Limits
from audience_pipeline.ingest.secrets import configured_keyset, has_secrets
from audience_pipeline.ingest.sources import Source, identify, opened
from audience_pipeline.ingest.workers import judged
from audience_pipeline.settings import Settings
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.storage.ledger import LedgerEntry
from audience_pipeline.tables import LANDED, LANDED_COLUMNS, Table
from audience_pipeline.tables.arrow import arrow_schema
from audience_pipeline.tables.landed import LINES_PER_FILE

DONE_DIR = ".done"


@dataclass(slots=True)
class LandedFile:
    """What became of one file.

    ``months`` are those its accepted records belong to, as ``yyyymm`` (0 without months), unless they are known to be
    in the table already. A file whose content landed before has its counts of then; where these were lost with the
    state it is ``recounted`` from what it left, and how many records were refused is not known. ``error`` says why a
    file could not be landed, or why it stays where it is though its accepted records landed.
    """

    table: str
    name: str
    entry: LedgerEntry | None = None
    months: frozenset[int] = frozenset()
    read: int = 0
    accepted: int = 0
    rejected: int = 0
    recounted: bool = False
    refused: set[str] = field(default_factory=set)
    error: PipelineError | None = None

    def count(self, batch: Batch, refused: list[RefusedLine]) -> None:
        """Add one batch."""
        self.read += batch.read
        self.accepted += batch.read - len(refused)
        self.rejected += len(refused)

    @property
    def counts(self) -> dict[str, int]:
        """The counts, as the ledger keeps them."""
        return {"read": self.read, "accepted": self.accepted, "rejected": self.rejected}


class Landing:
    """Lands files into one store. ``progress`` is told, now and then, of a file's lines read so far."""

    def __init__(
        self,
        store: TableStore,
        settings: Settings,
        clock: Callable[[], datetime],
        progress: Callable[[LandedFile], None] | None = None,
    ) -> None:
        self.store = store
        self.settings = settings
        self.clock = clock
        self.quarantine = Quarantine(settings.quarantine_dir)
        self._progress = progress or (lambda _: None)

    def land(self, table: Table, source: Source, then: Callable[[LandedFile], object] = lambda _: None) -> LandedFile:
        """Land one file, after what an interrupted landing of the table left unfinished.

        ``then`` is called with what became of it while no other landing of the table runs.

        Raises:
            SecurityError: it has credentials in plaintext.
            StorageError: it cannot be read, or what it holds cannot be written.
        """
        if has_secrets(table):
            plaintext.require_sealed(table, source)
        with self.store.landing_lock(table):
            landed = self._landed(table, source)
            then(landed)
        return landed

    def _landed(self, table: Table, source: Source) -> LandedFile:
        entry = self.store.landing.open_file(table, source.digest, source.name)
        if entry.status != "open":
            return self.landed_before(table, entry)
        self._finish_older(table, entry)
        return self._land(table, source, entry)

    def landed_before(self, table: Table, entry: LedgerEntry) -> LandedFile:
        """Return what became of a file that was landed already; its months again, until they were folded."""
        months = frozenset[int]() if entry.status == "folded" else self.store.landing.months(entry)
        if "read" not in entry.counts:
            left = sum(self.store.landing.rows(entry).values())
            return LandedFile(table.name, entry.name, entry, months, left, left, recounted=True)
        read, accepted, rejected = (entry.counts[name] for name in ("read", "accepted", "rejected"))
        return LandedFile(table.name, entry.name, entry, months, read, accepted, rejected)

    def _finish_older(self, table: Table, entry: LedgerEntry) -> None:
        """Land files that were begun before this one and still are where they were; each reports its own errors."""
        for older in self.store.landing.unfinished(table):
            path = self.settings.landing_dir / older.name
            if older.number < entry.number and path.is_file():
                with suppress(PipelineError):
                    source = identify(path, older.name, links=False)
                    if source.digest == older.digest:
                        self._land(table, source, older)

    def _land(self, table: Table, source: Source, entry: LedgerEntry) -> LandedFile:
        with opened(source) as stream:
            pieces = blocks(stream, limit=reasons.MAX_LINE_BYTES)
            return self.land_lines(table, entry, pieces, size=source.size, source=source)

    def land_lines(
        self,
        table: Table,
        entry: LedgerEntry,
        pieces: Iterable[Block | LongLine],
        *,
        size: int,
        source: Source | None = None,
    ) -> LandedFile:
        """Land the lines of an open entry, which come from ``source`` if from a file; the landing lock is held."""
        now = self.clock()
        landed = LandedFile(table.name, entry.name, entry)
        admission = Admission(self.store, table, now, self.settings.reference_wait_hours)
        limits = self._limits(now)
        chunks = Chunks(table, Records(table, limits, configured_keyset(self.settings) if has_secrets(table) else None))
        self.store.landing.abandon(entry)
        try:
            for batch in batches(judged(pieces, chunks, limits, size=size, source=source)):
                self._land_batch(landed, entry, batch, admission, source)
            landed.months = self.store.landing.finish(entry, landed.counts)
        except BaseException:
            self.store.landing.abandon(entry)
            raise
        return landed

    def _land_batch(
        self, landed: LandedFile, entry: LedgerEntry, batch: Batch, admission: Admission, source: Source | None
    ) -> None:
        rows, now = batch.rows, admission.now
        verdicts = admission.judge(rows.drop_columns([LINE_NUMBER]))
        lines = rows.column(LINE_NUMBER).to_pylist()
        refused = batch.refused
        reasons_by_line = {
            lines[index]: (tuple(problems), verdicts.waiting_for.get(index, ()))
            for index, problems in verdicts.problems.items()
        }
        refused.extend(batch.refuse(reasons_by_line, source))
        self.quarantine.put(entry.table, entry.name, refused, now)
        kept = [index for index in range(len(lines)) if index not in verdicts.problems]
        if kept:
            accepted = rows if len(kept) == len(lines) else rows.take(kept)
            self.store.landing.stage(entry, _as_landed(accepted, entry, now))
        landed.count(batch, refused)
        landed.refused.update(line.digest for line in refused)
        self._progress(landed)

    def _limits(self, now: datetime) -> Limits:
        year, month = self.settings.first_month.split("-")
        return Limits(
            now,
            int(year) * 100 + int(month),
            self.settings.trust_landed_approval,
            self.settings.min_segment_size,
            self.settings.pii_allowed,
        )

    def set_aside(self, table: Table, source: Source, landed: LandedFile) -> None:
        """Move a file that landed out of the landing directory, if it is there and still the same.

        A sender may have put another file under its name meanwhile; that one stays, to be landed in its turn.

        Raises:
            SecurityError: a refused line may hold a secret, so the file stays where it is, whichever place that is.
            StorageError: it cannot be moved; it landed all the same, and landing it again changes nothing.
        """
        if source.descriptor is not None:
            return
        if landed.rejected or landed.recounted:
            plaintext.require_harmless(table, source)
        if source.path.parent.resolve() != (self.settings.landing_dir / table.name).resolve():
            return
        target = self.settings.landing_dir / DONE_DIR / table.name / source.path.name
        with storage_errors(source.path), suppress(FileNotFoundError):
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                target = target.with_name(f"{source.digest[:12]}-{source.path.name}")
            source.path.replace(target)
            if not source.is_at(target):
                target.replace(source.path)


def _as_landed(rows: pa.Table, entry: LedgerEntry, now: datetime) -> pa.Table:
    """Add to accepted ``rows`` (with ``_line``) where and when they landed."""
    schema = arrow_schema(LANDED[entry.table])
    position = pl.from_arrow(rows.column(LINE_NUMBER)) + entry.number * LINES_PER_FILE
    same = [pl.repeat(value, rows.num_rows, eager=True) for value in (millis(now), entry.name, entry.digest)]
    values = (position, same[0].cast(pl.Datetime("ms")), *same[1:])
    landed = rows.drop_columns([LINE_NUMBER])
    for column, value in zip(LANDED_COLUMNS, values, strict=True):
        landed = landed.append_column(column.name, value.to_arrow())
    return landed.cast(schema)
