"""The archive held against its manifest.

Belongs here: what is found. Does not belong here: rows and files as such, which the store verifies.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from uuid import uuid4

import polars as pl

from audience_pipeline.retention.batches import Damage, batches, contents_of, load
from audience_pipeline.retention.manifest import Author, Manifest, Note, Place
from audience_pipeline.storage.contract import Finding, Home, Query, TableStore
from audience_pipeline.storage.months import MONTH, month_text
from audience_pipeline.tables import ARCHIVE_MANIFEST, DISTRIBUTIONS_ARCHIVE
from audience_pipeline.tables.manifest import COPIED


def verify(store: TableStore, clock: Callable[[], datetime], *, repair: bool = False) -> list[Finding]:
    """Return the users and months whose archive is not what the manifest says; files nobody can read are the store's.

    With ``repair``, rows the manifest knows nothing of are taken into it as they are; what contradicts it never is.
    """
    manifest = Manifest(store, Author(str(uuid4()), "verify --repair"), clock)
    findings = []
    for places in batches(_homes(store)):
        batch = load(store, manifest, places, confirm=repair)
        for damage in (each for each in batch.damaged if each.kind != "unreadable"):
            mended = repair and damage.kind == "unknown"
            if mended:
                _take(store, manifest, (damage.user_id, damage.month))
            findings.append(_finding(damage, repaired=mended))
    return findings


def _homes(store: TableStore) -> Iterator[Home]:
    """Yield the users and months that have archived rows, and those that the manifest knows to have had some."""
    rows = {(home.user_id, home.month): home.rows for home in store.homes(DISTRIBUTIONS_ARCHIVE)}
    noted = store.read(ARCHIVE_MANIFEST, Query(columns=["user_id", "month"]))
    known = pl.DataFrame(pl.from_arrow(noted)).unique().iter_rows()
    for user_id, month in sorted({*rows, *known}):
        yield Home(user_id, month, rows.get((user_id, month), 0))


def _take(store: TableStore, manifest: Manifest, place: Place) -> None:
    user_id, month = place
    rows = store.read(DISTRIBUTIONS_ARCHIVE, Query(user_id=user_id, months=(month, month)))
    contents = contents_of(
        pl.DataFrame(pl.from_arrow(rows)).with_columns(pl.lit(month, pl.Int32).alias(MONTH)), [place]
    )
    manifest.note([Note(place, COPIED, rows.num_rows, rows.nbytes, contents[place])])


def _finding(damage: Damage, *, repaired: bool) -> Finding:
    where = f"{DISTRIBUTIONS_ARCHIVE.name} of user {damage.user_id!r}, month {month_text(damage.month)}"
    return Finding("archive", where, damage.found, damage.expected, damage.remedy, repaired=repaired)
