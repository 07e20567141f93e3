"""The archive's manifest, as archive runs and restores keep it: noting steps, and what earlier ones say.

Belongs here: entries in, and out of them what the archive must hold, since when, and what is to stay live. Does not
belong here: deciding on steps. See :mod:`audience_pipeline.tables.manifest` for the order of entries.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import polars as pl
import pyarrow as pa

from audience_pipeline.storage.contract import Query, TableStore
from audience_pipeline.storage.months import month_bounds
from audience_pipeline.tables import ARCHIVE_MANIFEST
from audience_pipeline.tables.arrow import arrow_schema
from audience_pipeline.tables.manifest import RESTORED, WRITING, WRITTEN

_NAMESPACE = UUID("4f0c1c0a-7a54-5d5e-9a0b-0d7d3a5f6e21")
_INSTANT = timedelta(milliseconds=1)
Place = tuple[str, int]
"""A user and a month."""


class Contents(NamedTuple):
    """What a user and month of the archive holds: how many rows, and their content digest."""

    rows: int
    digest: str


NOTHING = Contents(0, "")


@dataclass(frozen=True, slots=True)
class Page:
    """What the manifest says of one user and month of the archive.

    ``confirmed`` is what it held last for certain, ``announced`` what may have been written since, and the step that
    was to do it; ``since`` is when what it holds was confirmed. ``until`` has the keys that were brought back, with
    the moment until which they stay, ``restored_at`` when that was last.
    """

    confirmed: Contents = NOTHING
    announced: Mapping[Contents, str] = field(default_factory=dict)
    since: datetime | None = None
    until: Mapping[str, datetime] = field(default_factory=dict)
    restored_at: datetime | None = None
    noted: bool = False


@dataclass(frozen=True, slots=True)
class Author:
    """Who notes: the run and its cut-off (None of a restore), and the name of who or what runs it."""

    run_id: str
    actor: str
    cut_off: datetime | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """One step in one user and month: the rows it is about, with their size, and what the archive holds after it."""

    place: Place
    step: str
    rows: int
    size: int
    contents: Contents
    keys: Sequence[str] = ()
    until: datetime | None = None


class Manifest:
    """The manifest of one store, written by one run or restore at a time."""

    def __init__(self, store: TableStore, author: Author, clock: Any) -> None:  # noqa: ANN401 - a clock
        self._store = store
        self._author = author
        self._clock = clock
        self._last = datetime.min.replace(tzinfo=UTC)

    def pages(self, places: Iterable[Place]) -> dict[Place, Page]:
        """Return what was noted of users and months; entries of a month are never older than the month."""
        places = set(places)
        if not places:
            return {}
        first, _ = month_bounds(min(month for _, month in places), max(month for _, month in places))
        users = sorted({user for user, _ in places})
        found = self._store.read(ARCHIVE_MANIFEST, Query(user_ids=users, since=first))
        noted: defaultdict[Place, list[dict[str, Any]]] = defaultdict(list)
        for entry in pl.DataFrame(pl.from_arrow(found)).sort("created_at").iter_rows(named=True):
            noted[entry["user_id"], entry["month"]].append(entry)
            self._last = max(self._last, entry["created_at"].replace(tzinfo=UTC))
        return {place: _page(noted[place]) for place in places}

    def note(self, notes: Iterable[Note]) -> datetime:
        """Append entries; return the moment they carry, which is after that of every entry known."""
        self._last = max(self._clock(), self._last + _INSTANT)
        rows = [self._row(each) for each in notes]
        if rows:
            self._store.upsert(ARCHIVE_MANIFEST, pa.Table.from_pylist(rows, schema=arrow_schema(ARCHIVE_MANIFEST)))
        return self._last

    def _row(self, note: Note) -> dict[str, Any]:
        author, (user_id, month) = self._author, note.place
        identity = (author.run_id, note.step, user_id, month, self._last.isoformat())
        return {
            "entry_id": str(uuid5(_NAMESPACE, "\n".join(map(str, identity)))),
            "user_id": user_id,
            "created_at": self._last.replace(tzinfo=None),
            "run_id": author.run_id,
            "actor": author.actor,
            "step": note.step,
            "month": month,
            "cut_off": _naive(author.cut_off),
            "row_count": note.rows,
            "byte_count": note.size,
            "archive_row_count": note.contents.rows,
            "digest": note.contents.digest,
            "keys": list(note.keys),
            "until": _naive(note.until),
        }


def _page(entries: Sequence[Mapping[str, Any]]) -> Page:
    """Return what entries, in their order, come to."""
    confirmed, since, restored_at = NOTHING, None, None
    announced: dict[Contents, str] = {}
    until: dict[str, datetime] = {}
    for entry in entries:
        contents, at = Contents(entry["archive_row_count"], entry["digest"]), entry["created_at"].replace(tzinfo=UTC)
        if entry["step"] in WRITING:
            announced[contents] = WRITTEN[WRITING.index(entry["step"])]
        elif entry["step"] in WRITTEN:
            confirmed, since, announced = contents, at, {}
        elif entry["step"] == RESTORED:
            until |= dict.fromkeys(entry["keys"], entry["until"].replace(tzinfo=UTC))
            restored_at = at
    return Page(confirmed, announced, since, until, restored_at, noted=bool(entries))


def _naive(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)
