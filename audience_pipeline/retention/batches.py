"""Batches of users and months, with what both tables and the manifest have of them.

Belongs here: reading so much at once, in bounded memory, and telling damage from content. Does not belong here: what is
done with it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import polars as pl

from audience_pipeline.errors import CorruptionError
from audience_pipeline.retention.manifest import NOTHING, Contents, Manifest, Note, Page, Place
from audience_pipeline.storage.contract import Home, Query, TableStore
from audience_pipeline.storage.months import MONTH, month_text, with_month
from audience_pipeline.tables import DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, Table
from audience_pipeline.tables.canonical import content_digests
from audience_pipeline.tables.types import LogicalType as T

ROWS_AT_ONCE, HOMES_AT_ONCE = 20_000, 2_000
_RESTORE = (
    "Put the file back from a backup; `audience-pipeline verify` compares it with the manifest. Nothing is archived to"
    " it, or restored from it, until then."
)
_TAKE = "If they are right, `audience-pipeline verify --repair` takes them into the manifest as they are."


@dataclass(frozen=True, slots=True)
class Damage:
    """A user and month of the archive that nothing is built on, and why.

    Its files cannot be read, the manifest knows nothing of it, or something else.
    """

    user_id: str
    month: int
    found: str
    expected: str
    remedy: str = _RESTORE
    kind: Literal["unreadable", "unknown", "different"] = "different"

    def __str__(self) -> str:
        """Say it as errors of the package do."""
        where = f"{DISTRIBUTIONS_ARCHIVE.name} of user {self.user_id!r}, month {month_text(self.month)}"
        return f"{where}: found {self.found}, expected {self.expected}. {self.remedy}"


@dataclass(frozen=True, slots=True)
class Batch:
    """Some users and months: their live and archived rows with their month, contents and pages, and what is damaged."""

    live: pl.DataFrame
    archived: pl.DataFrame
    contents: Mapping[Place, Contents]
    pages: Mapping[Place, Page]
    damaged: Sequence[Damage]


def batches(homes: Iterable[Home]) -> Iterator[list[Place]]:
    """Cut users and months, which come in order, into lists of bounded rows."""
    batch: list[Place] = []
    rows = 0
    for home in homes:
        if batch and (rows + home.rows > ROWS_AT_ONCE or len(batch) >= HOMES_AT_ONCE):
            yield batch
            batch, rows = [], 0
        batch.append((home.user_id, home.month))
        rows += home.rows
    if batch:
        yield batch


def load(store: TableStore, manifest: Manifest, places: Sequence[Place], *, confirm: bool = True) -> Batch:
    """Read a batch. What a killed run announced and wrote is noted as written, if it may be ``confirm``-ed.

    A file that cannot be read is damage of its user and month; the others are read without it.
    """
    live, archived, damaged = _read_apart(store, places)
    places = [place for place in places if place not in {(each.user_id, each.month) for each in damaged}]
    contents, pages = contents_of(archived, places), manifest.pages(places)
    wrong = {place: _difference(place, contents[place], pages[place]) for place in places}
    damaged += [each for each in wrong.values() if each is not None]
    sound = [place for place in places if wrong[place] is None]
    unconfirmed = [place for place in sound if contents[place] != pages[place].confirmed]
    if unconfirmed and confirm:
        steps = ((place, pages[place].announced[contents[place]]) for place in unconfirmed)
        manifest.note(Note(place, step, 0, 0, contents[place]) for place, step in steps)
        pages |= manifest.pages(unconfirmed)
    return Batch(of_places(live, sound), of_places(archived, sound), contents, pages, damaged)


def contents_of(rows: pl.DataFrame, places: Iterable[Place]) -> dict[Place, Contents]:
    """Return what archive rows, with their month, come to for each of some users and months."""
    digests = content_digests(DISTRIBUTIONS_ARCHIVE, rows.drop(MONTH).to_arrow())
    grouped: dict[Place, list[bytes]] = {}
    for place, digest in zip(rows.select("user_id", MONTH).iter_rows(), digests, strict=True):
        grouped.setdefault(place, []).append(digest)
    return {place: _contents(grouped.get(place, [])) for place in places}


def _contents(digests: Sequence[bytes]) -> Contents:
    if not digests:
        return NOTHING
    return Contents(len(digests), sha256(b"".join(sorted(digests))).hexdigest())


def _difference(place: Place, found: Contents, page: Page) -> Damage | None:
    if found == page.confirmed or found in page.announced:
        return None
    if not page.noted:
        what = f"{found.rows} rows the manifest does not know"
        return Damage(*place, found=what, expected="rows that an archive run copied", remedy=_TAKE, kind="unknown")
    if found.rows == page.confirmed.rows:
        what, expected = f"{found.rows} rows with another content", f"digest {page.confirmed.digest[:12]}…"
    else:
        what, expected = f"{found.rows} rows", f"the {page.confirmed.rows} rows of the manifest"
    return Damage(*place, found=what, expected=expected)


def _read_apart(store: TableStore, places: Sequence[Place]) -> tuple[pl.DataFrame, pl.DataFrame, list[Damage]]:
    """Read both tables; where a file cannot be read, ever smaller parts, until only that one is left out."""
    try:
        return _read(store, DISTRIBUTIONS, places), _read(store, DISTRIBUTIONS_ARCHIVE, places), []
    except CorruptionError as error:
        if len(places) == 1:
            damage = Damage(*places[0], error.found, error.expected, error.remedy, kind="unreadable")
            return _read(store, DISTRIBUTIONS, []), _read(store, DISTRIBUTIONS_ARCHIVE, []), [damage]
    middle = len(places) // 2
    halves = [_read_apart(store, part) for part in (places[:middle], places[middle:])]
    (live, archived, damaged), (more_live, more_archived, more_damaged) = halves
    return pl.concat([live, more_live]), pl.concat([archived, more_archived]), damaged + more_damaged


def _read(store: TableStore, table: Table, places: Sequence[Place]) -> pl.DataFrame:
    months = [month for _, month in places] or [1_01]
    query = Query(user_ids=sorted({user for user, _ in places}), months=(min(months), max(months)))
    return of_places(with_month(table, pl.DataFrame(pl.from_arrow(store.read(table, query)))), places)


def of_places(rows: pl.DataFrame, places: Sequence[Place]) -> pl.DataFrame:
    """Return the rows of some users and months."""
    schema = {"user_id": pl.String, MONTH: pl.Int32}
    return rows.join(pl.DataFrame(list(places), schema=schema, orient="row"), on=["user_id", MONTH], how="semi")


def without(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Return the rows whose distributions are not among others."""
    return rows.join(others.select(DISTRIBUTIONS.key), on=DISTRIBUTIONS.key, how="anti")


def among(keys: Sequence[str] | pl.Series) -> pl.Expr:
    """Return the condition that a distribution is one of ``keys``."""
    return pl.col(DISTRIBUTIONS.key).is_in(list(keys))


def sizes(rows: pl.DataFrame) -> pl.DataFrame:
    """Return user, month, number of rows and ``bytes`` of them: those of their texts, and eight for each moment."""
    of_type = DISTRIBUTIONS_ARCHIVE.of_type
    texts = [column.name for kind in (T.STRING, T.JSON) for column in of_type(kind)]
    parts = [pl.col(name).str.len_bytes() for name in texts]
    parts += [pl.col(column.name).list.eval(pl.element().str.len_bytes()).list.sum() for column in of_type(T.STRINGS)]
    moments = 8 * len(DISTRIBUTIONS.of_type(T.TIMESTAMP))
    size = pl.sum_horizontal(pl.sum_horizontal(parts).cast(pl.Int64), moments)
    return rows.group_by("user_id", MONTH).agg(pl.len().alias("rows"), size.sum().alias("bytes"))
