"""Quarantined records tried again, by themselves once what they refer to has landed, or because somebody asks.

Belongs here: choosing entries and landing their lines as one more file. Does not belong here: how lines are judged.
Entries leave the quarantine after their records landed; refused ones stay, with the reasons of this time.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import islice

import msgspec
import pyarrow as pa

from audience_pipeline.ingest.files import LandedFile, Landing
from audience_pipeline.ingest.lines import BLOCK_BYTES, Block
from audience_pipeline.ingest.quarantine import Entry, Quarantine
from audience_pipeline.ingest.references import missing_references
from audience_pipeline.tables import SOURCES, Format, Table

NAME = "quarantine"
"""What records that were tried again name as their file."""
_PORTION = 10_000


def retry(landing: Landing, entries: Sequence[Entry], then: Callable[[LandedFile], object]) -> list[LandedFile]:
    """Land the records of ``entries`` that were kept, table by table; those accepted leave the quarantine.

    ``then`` is called with what landed before they leave it, so that whatever it does is done again after a crash.
    """
    landed = []
    for table in SOURCES:
        own = [entry for entry in entries if entry.table == table.name and entry.retryable]
        if own:
            landed.append(_retry(landing, table, own, then))
            landing.quarantine.remove(entry for entry in own if entry.digest not in landed[-1].refused)
    return landed


def retry_waiting(landing: Landing, then: Callable[[LandedFile], object]) -> list[LandedFile]:
    """Retry the records that wait for others of which some are there by now, as long as they may wait.

    It asks what is there, not what has just landed: so whatever was interrupted, the next call makes up for it.
    """
    oldest = landing.clock() - timedelta(hours=landing.settings.reference_wait_hours)
    waiting = landing.quarantine.waiting(oldest)
    due = [entry for portion in _portions(waiting) for entry in _arrived(landing, portion)]
    return retry(landing, due, then)


def _portions(waiting: Iterator[tuple[Entry, bytes]]) -> Iterator[list[tuple[Entry, bytes]]]:
    while portion := list(islice(waiting, _PORTION)):
        yield portion


def _arrived(landing: Landing, waiting: Sequence[tuple[Entry, bytes]]) -> Iterator[Entry]:
    """Yield the entries that wait for fewer tables than before."""
    for table in SOURCES:
        own = [(entry, msgspec.json.decode(record)) for entry, record in waiting if entry.table == table.name]
        if own and table.references:
            names = ["user_id", *(reference.column for reference in table.references)]
            columns = {name: [_text(table, name, record[name]) for _, record in own] for name in names}
            missing = missing_references(landing.store, table, pa.table(columns))
            for row, (entry, _) in enumerate(own):
                if {reference.table for reference in missing.get(row, ())} != set(entry.waiting_for):
                    yield entry


def _text(table: Table, name: str, value: str) -> str:
    return value.lower() if table.by_name[name].format is Format.UUID else value


def _retry(
    landing: Landing, table: Table, entries: Sequence[Entry], then: Callable[[LandedFile], object]
) -> LandedFile:
    with landing.store.landing_lock(table):
        ledger = landing.store.landing.open_file(table, _identity(entries), NAME)
        if ledger.status == "open":
            size = sum(entry.length for entry in entries)
            landed = landing.land_lines(table, ledger, _blocks(landing.quarantine, entries), size=size)
        else:
            landed = landing.landed_before(table, ledger)
        then(landed)
    return landed


def _identity(entries: Sequence[Entry]) -> str:
    """Return what identifies this attempt: the records, and how often each was refused before."""
    said = "\n".join(f"{entry.digest} {entry.seen}" for entry in entries)
    return hashlib.sha256(f"retry\n{said}".encode()).hexdigest()


def _blocks(quarantine: Quarantine, entries: Sequence[Entry]) -> Iterator[Block]:
    """Yield the records as blocks of lines, numbered in order."""
    first, lines, size = 1, [], 0
    for entry in entries:
        lines.append(quarantine.content(entry)[0] or b"")
        size += entry.length
        if size >= BLOCK_BYTES:
            yield Block(first, 0, b"".join(line + b"\n" for line in lines))
            first, lines, size = first + len(lines), [], 0
    yield Block(first, 0, b"".join(line + b"\n" for line in lines))
