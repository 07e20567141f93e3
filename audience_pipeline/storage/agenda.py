"""The agenda: which rows want the engine's attention, and since when; derived from the rows themselves.

Belongs here: what a declared :class:`.Agenda` means for a frame of rows, and the last completion of each pair. Does not
belong here: where a backend keeps either. Nothing on the agenda is known that its row does not say.
"""

from typing import NamedTuple

import polars as pl

from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.months import MONTH
from audience_pipeline.tables import Table


class Entry(NamedTuple):
    """A row on the agenda: since when there is something to do, and when that is looked at unattended, in epoch ms."""

    key: str
    user_id: str
    month: int
    status: str
    audience_id: str
    platform_id: str
    at: int
    look_at: int


class Completion(NamedTuple):
    """The last distribution of a pair that completed, as far as some rows know."""

    platform_id: str
    audience_id: str
    at: int
    key: str


class Work(NamedTuple):
    """What rows come to: those on the agenda, completions, and the places (user, month, key) of those that left it."""

    entries: list[Entry]
    completions: list[Completion]
    left: list[tuple[str, int, str]]


NOTHING = Work([], [], [])


def work_of(table: Table, rows: pl.DataFrame, leaving: pl.DataFrame | None = None) -> Work:
    """Return the work in ``rows`` of ``table``, which have their month; an archive has completions only.

    ``leaving`` has rows that may have been on the agenda; those that are not in ``rows``, or there no more, left it.
    """
    if index_of(table).agenda is None:
        return NOTHING
    entries = _entries(table, rows) if index_of(table) is table and not rows.is_empty() else []
    completions = _completions(table, rows) if not rows.is_empty() else []
    return Work(entries, completions, _left(table, leaving, {entry[0] for entry in entries}))


def _left(table: Table, leaving: pl.DataFrame | None, staying: set[str]) -> list[tuple[str, int, str]]:
    if leaving is None or index_of(table) is not table:
        return []
    places = leaving.select("user_id", MONTH, table.key).iter_rows()
    return [(user, month, key) for user, month, key in places if key not in staying]


def _entries(table: Table, frame: pl.DataFrame) -> list[Entry]:
    agenda = table.agenda
    if agenda is None:
        return []
    is_open, later = pl.col("status").is_in(list(agenda.open)), _moment(agenda.later, frame)
    wanted = frame.lazy().filter(is_open | later.is_not_null())
    due = pl.max_horizontal("created_at", *(_moment(path, frame) for path in agenda.due))
    at = pl.when(is_open).then(due).otherwise(later)
    found = wanted.with_columns(at.alias("_at"), pl.max_horizontal(at, later).alias("_look_at"))
    moments = [pl.col(name).dt.epoch("ms") for name in ("_at", "_look_at")]
    columns = (table.key, "user_id", MONTH, "status", "audience_id", "platform_id")
    return list(map(Entry._make, found.select(*columns, *moments).collect(engine="in-memory").iter_rows()))


def _completions(table: Table, frame: pl.DataFrame) -> list[Completion]:
    at = pl.coalesce("executed_at", "created_at").dt.epoch("ms").alias("_at")
    ended = frame.lazy().filter(pl.col("status") == "completed").select("platform_id", "audience_id", at, table.key)
    last = ended.sort("_at", table.key).group_by("platform_id", "audience_id").last()
    return [Completion(*row) for row in last.collect(engine="in-memory").iter_rows()]


def _moment(path: str, frame: pl.DataFrame) -> pl.Expr:
    """Return the moment at a dotted path, null where there is none; JSON that no row of the frame has is not read."""
    column, _, member = path.partition(".")
    if not member:
        return pl.col(column)
    if frame[column].null_count() == frame.height:
        return pl.lit(None, pl.Datetime("ms"))
    text = pl.col(column).str.json_path_match(f"$.{member}").str.strip_suffix("Z")
    return text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="ms")
