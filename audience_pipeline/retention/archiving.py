"""Archiving: distributions that ended and are old enough leave the live table, in two phases.

Belongs here: which rows are taken, and in what order. Does not belong here: copying and removing (the store's), or what
the manifest says.

A reader lists files, and opens them later. So rows are copied first, and leave the live table no sooner than
``reader_grace_minutes`` after the archive had them: whoever listed files before that is done by then. A run removes
what earlier ones copied, and copies what has become old since. Nothing of a run is kept in memory between the two, so a
run that is killed is finished by the next one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import polars as pl

from audience_pipeline.retention.batches import (
    Batch,
    Damage,
    among,
    batches,
    contents_of,
    load,
    of_places,
    sizes,
    without,
)
from audience_pipeline.retention.manifest import Author, Manifest, Note, Place
from audience_pipeline.settings import Settings
from audience_pipeline.storage.comparing import alike
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.storage.months import FIRST_MONTH, MONTH, month_of
from audience_pipeline.tables import DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE
from audience_pipeline.tables.manifest import COPIED, COPYING, DROPPED, DROPPING, REMOVED

ENDED = ("completed", "failed")
_ARCHIVED_AT = "archived_at"
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of the old rows of one month, in some users' files.

    ``copied`` are in both tables since, ``removed`` in the archive alone; ``waiting`` were copied before and wait for
    readers, ``open`` have not ended, ``kept`` were brought back for a while, and ``dropped`` of these left the archive.
    ``copied_bytes`` and ``removed_bytes`` are the sizes of their values.
    """

    month: int
    copied: int = 0
    copied_bytes: int = 0
    removed: int = 0
    removed_bytes: int = 0
    waiting: int = 0
    open: int = 0
    kept: int = 0
    dropped: int = 0

    def __add__(self, other: "Moved") -> "Moved":
        """Add what became of more rows of the month."""
        sums = (getattr(self, name) + getattr(other, name) for name in Moved.__slots__ if name != "month")
        return Moved(self.month, *sums)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: users and months seen, of all; what became of rows by month; and what is damaged."""

    seen: int
    all: int
    moved: Sequence[Moved]
    damaged: Sequence[Damage]


def archive(
    store: TableStore,
    settings: Settings,
    clock: Clock,
    actor: str,
    *,
    as_of: datetime | None = None,
    dry_run: bool = False,
) -> Iterator[Progress]:
    """Archive what is old enough at an instant, the present unless one is given, and yield after each batch.

    With ``dry_run`` nothing is written, and what would be is yielded. One run works at a time; another one waits.
    """
    cut_off = (as_of or clock()) - timedelta(days=settings.archive_after_days)
    run = _Run(store, settings, clock, Manifest(store, Author(str(uuid4()), actor, cut_off), clock), cut_off, dry_run)
    if dry_run:
        yield from run.batches()
        return
    with store.landing_lock(DISTRIBUTIONS_ARCHIVE):
        yield from run.batches()


def by_month(moved: Iterable[Moved]) -> list[Moved]:
    """Return the sums of each month, oldest first."""
    sums: dict[int, Moved] = {}
    for each in moved:
        sums[each.month] = sums[each.month] + each if each.month in sums else each
    return [sums[month] for month in sorted(sums)]


@dataclass(frozen=True, slots=True)
class _Run:
    store: TableStore
    settings: Settings
    clock: Clock
    manifest: Manifest
    cut_off: datetime
    dry_run: bool

    def batches(self) -> Iterator[Progress]:
        homes = self.store.homes(DISTRIBUTIONS, (FIRST_MONTH, month_of(self.cut_off)))
        seen = 0
        for places in batches(homes):
            batch = load(self.store, self.manifest, places, confirm=not self.dry_run)
            seen += len(places)
            yield Progress(seen, len(homes), self._moved(batch), batch.damaged)

    def _moved(self, batch: Batch) -> list[Moved]:
        """Take the steps of one batch."""
        old = batch.live.filter(pl.col("created_at") < self.cut_off.astimezone(UTC).replace(tzinfo=None))
        ended = old.filter(pl.col("status").is_in(ENDED))
        kept = ended.filter(among(self._kept(batch)))
        leaving = without(ended, kept)
        there = alike(DISTRIBUTIONS, leaving, batch.archived)
        removed = self._remove(batch, of_places(there, self._graced(batch)))
        waiting = without(there, removed)
        batch, dropped = self._drop(batch, kept)
        batch, copied = self._copy(batch, without(leaving, there))
        if not self.settings.reader_grace_minutes:
            removed = pl.concat([removed, self._remove(batch, copied)])
        unfinished = without(old, ended)
        return _sums(copied=copied, removed=removed, waiting=waiting, open=unfinished, kept=kept, dropped=dropped)

    def _kept(self, batch: Batch) -> list[str]:
        """Return the keys that were brought back until a moment yet to come."""
        now = self.clock()
        return [key for page in batch.pages.values() for key, until in page.until.items() if until > now]

    def _graced(self, batch: Batch) -> list[Place]:
        """Return the users and months whose archive readers have known for long enough."""
        return [place for place, page in batch.pages.items() if page.since is not None and page.since <= self._ready()]

    def _ready(self) -> datetime:
        return self.clock() - timedelta(minutes=self.settings.reader_grace_minutes)

    def _remove(self, batch: Batch, rows: pl.DataFrame) -> pl.DataFrame:
        """Remove rows from the live table; those that changed just now stay."""
        if rows.is_empty() or self.dry_run:
            return rows
        moved = self.store.remove(DISTRIBUTIONS, rows[DISTRIBUTIONS.key].to_list()).moved
        removed = rows.filter(among(moved))
        self.manifest.note(self._notes(REMOVED, removed, batch))
        return removed

    def _drop(self, batch: Batch, kept: pl.DataFrame) -> tuple[Batch, pl.DataFrame]:
        """Remove what was brought back from the archive, once readers have known it live for long enough."""
        pages = batch.pages.items()
        known = [place for place, page in pages if page.restored_at is not None and page.restored_at <= self._ready()]
        copies = of_places(batch.archived.filter(among(kept[DISTRIBUTIONS.key])), known)
        if copies.is_empty() or self.dry_run:
            return batch, copies
        after = _with(batch, without(batch.archived, copies), copies)
        self.manifest.note(self._notes(DROPPING, copies, after))
        self.store.remove(DISTRIBUTIONS_ARCHIVE, copies[DISTRIBUTIONS.key].to_list())
        self.manifest.note(self._notes(DROPPED, copies, after))
        return after, copies

    def _copy(self, batch: Batch, rows: pl.DataFrame) -> tuple[Batch, pl.DataFrame]:
        """Copy rows to the archive, in place of earlier copies."""
        if rows.is_empty() or self.dry_run:
            return batch, rows
        moment = pl.lit(self.clock().astimezone(UTC).replace(tzinfo=None)).cast(batch.archived.schema[_ARCHIVED_AT])
        copies = rows.with_columns(moment.alias(_ARCHIVED_AT)).select(batch.archived.columns)
        after = _with(batch, pl.concat([without(batch.archived, copies), copies]), copies)
        self.manifest.note(self._notes(COPYING, rows, after))
        self.store.copy(DISTRIBUTIONS_ARCHIVE, copies.drop(MONTH).to_arrow(compat_level=pl.CompatLevel.oldest()))
        self.manifest.note(self._notes(COPIED, rows, after))
        return after, rows

    def _notes(self, step: str, rows: pl.DataFrame, batch: Batch) -> list[Note]:
        return [
            Note((user_id, month), step, count, size, batch.contents[user_id, month])
            for user_id, month, count, size in sizes(rows).iter_rows()
        ]


def _with(batch: Batch, archived: pl.DataFrame, changed: pl.DataFrame) -> Batch:
    """Return a batch with other archived rows, of which those of some users and months changed."""
    places: list[Place] = [(user, month) for user, month in changed.select("user_id", MONTH).unique().iter_rows()]
    touched = archived.join(changed.select("user_id", MONTH).unique(), on=["user_id", MONTH], how="semi")
    contents = {**batch.contents, **contents_of(touched, places)}
    return Batch(batch.live, archived, contents, batch.pages, batch.damaged)


def _sums(**rows: pl.DataFrame) -> list[Moved]:
    """Return the numbers of rows by month, and the sizes of those that were copied or removed."""
    counts = {name: dict(frame[MONTH].value_counts().iter_rows()) for name, frame in rows.items()}
    bytes_ = {f"{name}_bytes": _bytes(rows[name]) for name in ("copied", "removed")}
    months = sorted(set().union(*counts.values()))
    return [
        Moved(month, **{name: found.get(month, 0) for name, found in (counts | bytes_).items()}) for month in months
    ]


def _bytes(rows: pl.DataFrame) -> dict[int, int]:
    return dict(sizes(rows).group_by(MONTH).agg(pl.col("bytes").sum()).iter_rows())
