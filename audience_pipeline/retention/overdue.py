"""What should have been archived by now and was not.

Belongs here: the rows an alarm is about. Does not belong here: how it is raised, or archiving.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import polars as pl

from audience_pipeline.retention.archiving import ENDED
from audience_pipeline.retention.batches import among, batches, load, of_places, without
from audience_pipeline.retention.manifest import Author, Manifest
from audience_pipeline.settings import Settings
from audience_pipeline.storage.comparing import alike
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.storage.months import FIRST_MONTH, month_of
from audience_pipeline.tables import DISTRIBUTIONS

TOLERANCE = timedelta(days=1)
"""A daily run archives what is older than this by then."""


def overdue(store: TableStore, settings: Settings, clock: Callable[[], datetime]) -> Iterator[pl.DataFrame]:
    """Yield live rows that ended and were old enough a day ago, some at a time.

    Left out are rows that were brought back for a while, and copies made within that day, which wait for readers.
    """
    now = clock()
    moment = now - timedelta(days=settings.archive_after_days) - TOLERANCE
    copied_since = now - TOLERANCE - timedelta(minutes=settings.reader_grace_minutes)
    manifest = Manifest(store, Author(str(uuid4()), "check"), clock)
    for places in batches(store.homes(DISTRIBUTIONS, (FIRST_MONTH, month_of(moment)))):
        batch = load(store, manifest, places, confirm=False)
        old = batch.live.filter(pl.col("created_at") < moment.astimezone(UTC).replace(tzinfo=None))
        kept = [key for page in batch.pages.values() for key, until in page.until.items() if until > now]
        due = old.filter(pl.col("status").is_in(ENDED) & ~among(kept))
        fresh = (place for place, page in batch.pages.items() if page.since is not None and page.since > copied_since)
        yield without(due, alike(DISTRIBUTIONS, of_places(due, list(fresh)), batch.archived))
