"""Ingest in one process: land, then fold what landed into the table.

Belongs here: the two steps together, for files and for a pipe, and the report. The same two functions make up the
landing job and the core assets in Dagster, so both give the same tables.
"""

import logging
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from audience_pipeline.errors import PipelineError, storage_errors
from audience_pipeline.ingest.chunks import RefusedLine
from audience_pipeline.ingest.files import LandedFile, Landing
from audience_pipeline.ingest.fold import fold
from audience_pipeline.ingest.lines import BLOCK_BYTES, Readable
from audience_pipeline.ingest.plaintext import sealed_lines
from audience_pipeline.ingest.quarantine import Entry, quarantine_refusals
from audience_pipeline.ingest.retry import retry, retry_waiting
from audience_pipeline.ingest.secrets import configured_keyset, has_secrets
from audience_pipeline.ingest.sources import Source, identify, identify_unnamed
from audience_pipeline.storage.contract import LedgerEntry, TableStore, UpsertResult
from audience_pipeline.tables import TABLES, Table

STDIN = "-"
_AT_ONCE = 2
_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class IngestReport:
    """What became of the records of some files; ``rejected`` ones are in quarantine.

    A file that was ingested before counts as it did then, its accepted records as unchanged.
    """

    table: str
    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0
    rejected: int = 0
    errors: list[PipelineError] = field(default_factory=list)

    def add(self, landed: LandedFile, result: UpsertResult) -> None:
        """Add one landed file and what upserting its records came to."""
        self.read += landed.read
        self.inserted += result.inserted
        self.updated += result.updated
        self.unchanged += result.unchanged
        self.stale += result.stale
        self.rejected += landed.rejected + len(result.refused)


def ingest_files(landing: Landing, table: Table, paths: Sequence[Path]) -> IngestReport:
    """Land files and fold them into ``table``; a file that cannot be read does not stop the others.

    What had landed in the table before and was never folded, since its process was killed or Dagster landed it, is
    folded first. That, and records elsewhere that waited for these and are tried again, is not counted here.
    """
    report = IngestReport(table.name)
    folded = fold_unfolded(landing, table)
    for path in paths:
        try:
            _ingest(landing, table, identify(path), folded, report)
        except PipelineError as error:
            report.errors.append(error)
    _retry_waiting(landing, report)
    return report


def ingest_stream(landing: Landing, table: Table, stream: Readable) -> IngestReport:
    """Do the same for a stream; credentials in plaintext are sealed before anything is written.

    Raises:
        StorageError: it cannot be kept until it is landed.
    """
    report = IngestReport(table.name)
    folded = fold_unfolded(landing, table)
    refused: list[RefusedLine] = []
    with _spooled(landing, table, stream, refused) as source:
        _ingest(landing, table, source, folded, report)
    landing.quarantine.put(table.name, STDIN, refused, landing.clock())
    report.read += len(refused)
    report.rejected += len(refused)
    _retry_waiting(landing, report)
    return report


def retry_entries(landing: Landing, entries: Sequence[Entry]) -> list[IngestReport]:
    """Ingest the records of quarantine entries again, a report a table; those accepted leave the quarantine.

    Records elsewhere that waited for these are tried again, and not counted here.
    """
    reports: list[IngestReport] = []

    def add(landed: LandedFile) -> None:
        reports.append(IngestReport(landed.table))
        reports[-1].add(landed, fold_landed(landing, landed))

    retry(landing, entries, add)
    for report in reports:
        _retry_waiting(landing, report)
    return reports


def fold_landed(landing: Landing, landed: LandedFile) -> UpsertResult:
    """Upsert the records of a landed file; those refused now go to quarantine. Nothing is done a second time."""
    if landed.entry is None:
        return UpsertResult()
    if landed.entry.status == "folded":
        late = landed.entry.counts.get("refused_late", 0)
        landed.rejected += late
        return UpsertResult(unchanged=landed.accepted - late)
    return _fold(landing, landed.entry, landed.counts)


def fold_unfolded(landing: Landing, table: Table) -> dict[int, UpsertResult]:
    """Fold what landed in ``table`` and was never folded, oldest first; return what each came to, by its number.

    A file that lands meanwhile is waited for, so what is found here is nobody's work in progress, Dagster's excepted:
    records that both fold are unchanged the second time.
    """
    with landing.store.landing_lock(table):
        landing.store.landing.unfinished(table)
        return _fold_unfolded(landing, table)


def _fold_unfolded(landing: Landing, table: Table, own: int | None = None) -> dict[int, UpsertResult]:
    """Do so under the table's landing lock, and tell of all but the entry numbered ``own``."""
    folded = {}
    for entry in landing.store.landing.unfolded(table):
        folded[entry.number] = result = _fold(landing, entry, entry.counts)
        if entry.number != own and result.months | set(result.refused):
            _LOG.info(
                "Folded %s, which had landed in %s before: %d inserted, %d updated, %d refused.",
                *(entry.name, table.name, result.inserted, result.updated, len(result.refused)),
            )
    return folded


def _fold(landing: Landing, entry: LedgerEntry, counts: Mapping[str, int]) -> UpsertResult:
    table, result = TABLES[entry.table], UpsertResult()
    groups = (fold(table, group) for group in landing.store.landing.groups(table, [entry.number]))
    for rows, upserted in _upserted(landing.store, table, groups):
        quarantine_refusals(landing.settings, table, rows, upserted.refused, landing.clock())
        result += upserted
    landing.store.landing.mark_folded([entry], {**counts, "refused_late": len(result.refused)})
    return result


def _upserted(store: TableStore, table: Table, groups: Iterable[pa.Table]) -> Iterator[tuple[pa.Table, UpsertResult]]:
    """Upsert groups of rows that have no user's month in common, a few at once, and yield each with its result."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        running: deque[tuple[pa.Table, Future[UpsertResult]]] = deque()
        for rows in groups:
            running.append((rows, pool.submit(store.upsert, table, rows, canonical=True)))
            if len(running) > _AT_ONCE:
                done, upserted = running.popleft()
                yield done, upserted.result()
        for done, upserted in running:
            yield done, upserted.result()


def _ingest(
    landing: Landing, table: Table, source: Source, folded: dict[int, UpsertResult], report: IngestReport
) -> None:
    """Land a file and fold it; ``folded`` has what came of entries folded just before, of which it may be one."""

    def fold_in_order(landed: LandedFile) -> None:
        folded.update(_fold_unfolded(landing, table, landed.entry.number if landed.entry else None))

    landed = landing.land(table, source, fold_in_order)
    result = folded.pop(landed.entry.number, None) if landed.entry else None
    if result is None:
        result = fold_landed(landing, landed)
    report.add(landed, result)
    landing.set_aside(table, source, landed)


def _retry_waiting(landing: Landing, report: IngestReport) -> None:
    """Try waiting records again; unchanged ones may be those an interrupted ingest inserted."""
    if report.inserted or report.unchanged:
        retry_waiting(landing, {report.table}, lambda landed: fold_landed(landing, landed))


@contextmanager
def _spooled(landing: Landing, table: Table, stream: Readable, refused: list[RefusedLine]) -> Iterator[Source]:
    """Keep a stream in a file while it is landed, since landing reads twice.

    The file has no name, so the system frees it when this process ends, however it does.
    """
    directory = landing.settings.landing_dir
    with storage_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
    with storage_errors(directory), tempfile.TemporaryFile(dir=directory) as file:
        if has_secrets(table):
            for line in sealed_lines(stream, configured_keyset(landing.settings)):
                if isinstance(line, RefusedLine):
                    refused.append(line)
                file.write(b"\n" if isinstance(line, RefusedLine) else line + b"\n")
        else:
            while chunk := stream.read(BLOCK_BYTES):
                file.write(chunk)
        file.flush()
        yield identify_unnamed(file, STDIN)
