"""Restoring: archived distributions come back to the live table until a moment.

Belongs here: which rows come back, and the order of steps. Does not belong here: copying (the store's).

The manifest says first until when rows stay, so that no archive run takes them away; then they are copied, and live in
the live table from then on. Their copies leave the archive with a later archive run, when whoever listed files before
is done. After that moment the rows are archived again like any others.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import polars as pl

from audience_pipeline.errors import UsageError
from audience_pipeline.ingest.moments import iso
from audience_pipeline.ingest.references import missing_references
from audience_pipeline.retention.batches import Batch, batches, load, sizes
from audience_pipeline.retention.manifest import Author, Manifest, Note
from audience_pipeline.storage.audit import Entry, record
from audience_pipeline.storage.contract import Home, TableStore
from audience_pipeline.storage.months import MONTH, month_text
from audience_pipeline.tables import DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE
from audience_pipeline.tables.manifest import RESTORED


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of one distribution: ``restored``, ``extended`` where it was back already, or ``refused``."""

    distribution_id: str
    user_id: str | None
    month: int | None
    outcome: str
    why: str | None = None


class Restore:
    """One restore into ``store``, by ``actor``, until a moment yet to come."""

    def __init__(self, store: TableStore, clock: Callable[[], datetime], actor: str, until: datetime) -> None:
        if until <= clock():
            subject = "--until"
            raise UsageError(
                subject,
                found=f"{until:%Y-%m-%dT%H:%M:%SZ}, which has passed",
                expected="a moment yet to come",
                remedy="Say until when the distributions are to stay in the live table.",
            )
        self._store, self._until = store, until
        self._clock, self._actor = clock, actor
        self._manifest = Manifest(store, Author(str(uuid4()), actor), clock)

    def keys(self, keys: Sequence[str]) -> list[Restored]:
        """Bring distributions back by their ids."""
        keys = [key.lower() for key in keys]
        places = self._store.placements(DISTRIBUTIONS, keys)
        homes = sorted({Home(place.user_id, place.month, 1) for place in places.values() if place.placed})
        unknown = [key for key in keys if key not in places or not places[key].placed]
        return [*self._restored(homes, keys), *(_refused(key, "there is no such distribution") for key in unknown)]

    def month(self, month: int, user_id: str | None = None) -> list[Restored]:
        """Bring back all archived distributions of a month, or those of one user."""
        homes = self._store.homes(DISTRIBUTIONS_ARCHIVE, (month, month))
        return self._restored([home for home in homes if user_id in {None, home.user_id}], None)

    def _restored(self, homes: Sequence[Home], keys: Sequence[str] | None) -> list[Restored]:
        with self._store.landing_lock(DISTRIBUTIONS_ARCHIVE):
            loaded = (load(self._store, self._manifest, places) for places in batches(homes))
            return [each for batch in loaded for each in self._batch(batch, keys)]

    def _batch(self, batch: Batch, keys: Sequence[str] | None) -> Iterator[Restored]:
        for damage in batch.damaged:
            yield Restored("*", damage.user_id, damage.month, "refused", str(damage))
        places = self._store.placements(DISTRIBUTIONS, batch.archived[DISTRIBUTIONS.key].to_list())
        returned = {key for page in batch.pages.values() for key in page.until}
        rows = pl.concat([batch.archived.select(batch.live.columns), batch.live]).unique(DISTRIBUTIONS.key)
        if keys is not None:
            rows = rows.filter(pl.col(DISTRIBUTIONS.key).is_in(list(keys)))
        astray = self._astray(rows)
        archived = [
            key for key in rows[DISTRIBUTIONS.key] if key in places and places[key].archived if key not in astray
        ]
        wanted = rows.filter(pl.col(DISTRIBUTIONS.key).is_in([*archived, *(returned - astray)]))
        self._bring_back(batch, wanted, archived)
        for key, user_id, month in rows.select(DISTRIBUTIONS.key, "user_id", MONTH).iter_rows():
            if key in astray:
                yield Restored(key, user_id, month, "refused", "its user has no such audience or platform")
            elif key in archived or key in returned:
                yield Restored(key, user_id, month, "restored" if key in archived else "extended")
            elif keys is not None:
                yield Restored(key, user_id, month, "refused", "it is not archived")

    def _astray(self, rows: pl.DataFrame) -> set[str]:
        """Return the keys of rows that refer to nothing their user has: such a row does not become live again."""
        referring = rows.select("user_id", *(each.column for each in DISTRIBUTIONS.references))
        missing = missing_references(self._store, DISTRIBUTIONS, referring.to_arrow())
        return set(rows[DISTRIBUTIONS.key].gather(list(missing)))

    def _bring_back(self, batch: Batch, wanted: pl.DataFrame, archived: Sequence[str]) -> None:
        grouped = wanted.group_by("user_id", MONTH).agg(pl.col(DISTRIBUTIONS.key).sort()).iter_rows()
        keys = {(user_id, month): found for user_id, month, found in grouped}
        record(self._store, (self._entry(*place, found) for place, found in keys.items()))
        self._manifest.note(
            Note(
                (user_id, month),
                RESTORED,
                count,
                size,
                batch.contents[user_id, month],
                keys=keys[user_id, month],
                until=self._until,
            )
            for user_id, month, count, size in sizes(wanted).iter_rows()
        )
        coming = wanted.filter(pl.col(DISTRIBUTIONS.key).is_in(list(archived)))
        if not coming.is_empty():
            self._store.copy(DISTRIBUTIONS, coming.drop(MONTH).to_arrow(compat_level=pl.CompatLevel.oldest()))

    def _entry(self, user_id: str, month: int, keys: Sequence[str]) -> Entry:
        details = {"until": iso(self._until), "distribution_ids": keys}
        return Entry(user_id, self._clock(), "restore", self._actor, f"distributions of {month_text(month)}", details)


def _refused(key: str, why: str) -> Restored:
    return Restored(key, None, None, "refused", why)
