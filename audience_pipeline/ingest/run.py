"""Ingest in one process: land, then fold what landed into the table.

Belongs here: the two steps together, for files and for a pipe, and the report. Does not belong here: either step
(:mod:`.files`, :mod:`.folds`). The same two functions make up the
landing job and the core assets in Dagster, so both give the same tables.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from audience_pipeline.errors import PipelineError, storage_errors
from audience_pipeline.ingest.chunks import RefusedLine
from audience_pipeline.ingest.files import LandedFile, Landing
from audience_pipeline.ingest.folds import fold_all, fold_landed, fold_left, fold_unfolded
from audience_pipeline.ingest.lines import BLOCK_BYTES, Readable
from audience_pipeline.ingest.plaintext import sealed_lines
from audience_pipeline.ingest.quarantine import Entry
from audience_pipeline.ingest.retry import retry, retry_waiting
from audience_pipeline.ingest.secrets import configured_keyset, has_secrets
from audience_pipeline.ingest.sources import Source, identify, identify_unnamed
from audience_pipeline.storage.contract import UpsertResult
from audience_pipeline.tables import Table

STDIN = "-"


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
    _retry_waiting(landing)
    return report


def ingest_stream(landing: Landing, table: Table, stream: Readable, name: str = STDIN) -> IngestReport:
    """Do the same for a stream that goes by ``name``; credentials in plaintext are sealed before anything is written.

    Raises:
        StorageError: it cannot be kept until it is landed.
    """
    report = IngestReport(table.name)
    folded = fold_unfolded(landing, table)
    refused: list[RefusedLine] = []
    with _spooled(landing, table, stream, name, refused) as source:
        _ingest(landing, table, source, folded, report)
    landing.quarantine.put(table.name, name, refused, landing.clock())
    report.read += len(refused)
    report.rejected += len(refused)
    _retry_waiting(landing)
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
    _retry_waiting(landing)
    return reports


def refold(landing: Landing, table: Table) -> IngestReport:
    """Fold all that ever landed in ``table`` again; landed records are what counts as read."""
    result = fold_all(landing, table)
    counts = (result.inserted, result.updated, result.unchanged, result.stale, len(result.refused))
    return IngestReport(table.name, sum(counts), *counts)


def _ingest(
    landing: Landing, table: Table, source: Source, folded: dict[int, UpsertResult], report: IngestReport
) -> None:
    """Land a file and fold it; ``folded`` has what came of entries folded just before, of which it may be one."""

    def fold_in_order(landed: LandedFile) -> None:
        folded.update(fold_left(landing, table, landed.entry.number if landed.entry else None))

    landed = landing.land(table, source, fold_in_order)
    result = folded.pop(landed.entry.number, None) if landed.entry else None
    if result is None:
        result = fold_landed(landing, landed)
    report.add(landed, result)
    landing.set_aside(table, source, landed)


def _retry_waiting(landing: Landing) -> None:
    retry_waiting(landing, lambda landed: fold_landed(landing, landed))


@contextmanager
def _spooled(
    landing: Landing, table: Table, stream: Readable, name: str, refused: list[RefusedLine]
) -> Iterator[Source]:
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
        yield identify_unnamed(file, name)
