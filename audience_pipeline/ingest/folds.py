"""Landed records folded into their table: one file's, those that were left, or all.

Belongs here: which entries of the ledger are folded, in which order, and the note that they were. Does not belong here:
landing them (:mod:`.files`), or which record of a key wins (the store).
"""

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa

from audience_pipeline.ingest.files import LandedFile, Landing
from audience_pipeline.ingest.fold import fold
from audience_pipeline.ingest.late import quarantine_refusals
from audience_pipeline.storage.contract import TableStore, UpsertResult
from audience_pipeline.storage.ledger import LedgerEntry
from audience_pipeline.tables import TABLES, Table

_AT_ONCE = 2
_LOG = logging.getLogger(__name__)


def fold_landed(landing: Landing, landed: LandedFile) -> UpsertResult:
    """Upsert the records of a landed file; those refused now go to quarantine. Nothing is done a second time."""
    if landed.entry is None:
        return UpsertResult()
    if landed.entry.status == "folded":
        late = landed.entry.counts.get("refused_late", 0)
        landed.rejected += late
        return UpsertResult(unchanged=landed.accepted - late)
    return _fold(landing, landed.entry, landed.entry.counts if landed.recounted else landed.counts)


def fold_unfolded(landing: Landing, table: Table) -> dict[int, UpsertResult]:
    """Fold what landed in ``table`` and was never folded, oldest first; return what each came to, by its number.

    A file that lands meanwhile is waited for, so what is found here is nobody's work in progress, Dagster's excepted:
    records that both fold are unchanged the second time.
    """
    with landing.store.landing_lock(table):
        landing.store.landing.unfinished(table)
        return fold_left(landing, table)


def fold_all(landing: Landing, table: Table) -> UpsertResult:
    """Fold all that ever landed in ``table`` again, after what was never folded.

    Rows that are still there stay as they are. Rows whose files were deleted, or that the state forgot, come back,
    without what only the engine wrote.
    """
    with landing.store.landing_lock(table):
        landing.store.landing.unfinished(table)
        fold_left(landing, table)
        return _upsert_landed(landing, table)


def fold_left(landing: Landing, table: Table, own: int | None = None) -> dict[int, UpsertResult]:
    """Do so under the landing lock the caller holds, and tell of all but the entry numbered ``own``."""
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
    result = _upsert_landed(landing, TABLES[entry.table], [entry.number])
    landing.store.landing.mark_folded([entry], {**counts, "refused_late": len(result.refused)})
    return result


def _upsert_landed(landing: Landing, table: Table, numbers: Sequence[int] | None = None) -> UpsertResult:
    """Upsert what landed in files, or all that did; rows refused now go to quarantine."""
    result = UpsertResult()
    groups = (fold(table, group) for group in landing.store.landing.groups(table, numbers))
    for rows, upserted in _upserted(landing.store, table, groups):
        quarantine_refusals(landing.settings, table, rows, upserted.refused, landing.clock())
        result += upserted
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
