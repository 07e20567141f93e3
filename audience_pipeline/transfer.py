"""Copy a store into another, month by month, and prove that both hold the same.

Belongs here: what is copied, in what order, and when it counts as done. Does not belong here: how a backend takes rows
over, or which stores these are.

What is done is never noted, only found: a month is done when both stores have the same content digest of it and their
indexes say the same of its keys. So a copy that was killed anywhere is finished by running it again, which leaves alone
what is done, and half a month is not done. What is not in a store's tables, key index, ledger and landed records is not
copied: derived tables are materialized again, and landing and quarantine directories are no part of a store.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain

import polars as pl
import pyarrow as pa

from audience_pipeline.errors import ConflictError, CorruptionError, RefusedError
from audience_pipeline.ingest.references import missing_references
from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.contract import Query, TableStore
from audience_pipeline.storage.months import month_text
from audience_pipeline.storage.restoring import EMPTY, KEY_SCHEMA, LedgerLine, check_lines
from audience_pipeline.tables import LANDED, SOURCES, STORED, Table
from audience_pipeline.tables.arrow import empty, without_rows
from audience_pipeline.tables.bookkeeping import ACCEPTED
from audience_pipeline.tables.canonical import content_digest, content_digests

_LOG = logging.getLogger(__name__)
ROWS_AT_ONCE = 50_000
"""Rows a store is handed at once."""
FILES_AT_ONCE = 500
"""Landed files a store is handed at once."""
_BY_NAME = {table.name: table for table in STORED}
_NO_KEYS = pl.DataFrame(pl.from_arrow(without_rows(KEY_SCHEMA)))


@dataclass(frozen=True, slots=True)
class Part:
    """What is copied as one: a month of a table (0 without months), or what the ledger says of the table's files.

    ``rows`` is how many the source has, ``begun`` whether the target has rows of them, ``done`` whether it has
    the same.
    """

    table: str
    month: int
    rows: int
    begun: bool
    done: bool

    def __str__(self) -> str:
        """Name it, such as "audiences 2025-05"."""
        return _place(self.table, self.month)


class Transfer:
    """One copy from ``source`` into ``target``; nobody else may write to either meanwhile."""

    def __init__(self, source: TableStore, target: TableStore) -> None:
        self._source = source
        self._target = target

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep landing out of both stores for the time of a block."""
        with ExitStack() as stack:
            for store in (self._source, self._target):
                for table in SOURCES:
                    stack.enter_context(store.landing_lock(table))
            yield

    def plan(self) -> list[Part]:
        """Return all parts, done or not, having compared the stores.

        Raises:
            RefusedError: the target holds what the source does not.
        """
        parts = [part for table in STORED for part in self._stored_parts(table)]
        lines = {table.name: self._target.landing.lines(table) for table in SOURCES}
        for table in SOURCES:
            parts += self._landed_parts(table, lines)
        return parts

    def plan_again(self, parts: Sequence[Part], table: Table) -> list[Part]:
        """Return the parts with those of one stored table compared again, for whoever wrote to it since."""
        return [*self._stored_parts(table), *(part for part in parts if part.table != table.name)]

    def run(self, parts: Sequence[Part]) -> Iterator[Part]:
        """Copy the parts that are not done, yielding each when it is written; then compare the stores again.

        Raises:
            RefusedError: the target holds what the source does not, or a row refers to what its user does not have.
            ConflictError: they differ in the end.
        """
        for part in parts:
            if not part.done and (table := _BY_NAME.get(part.table)) and table.references:
                self._check_references(table, part)
        for table in STORED:
            waiting = [each for each in parts if each.table == table.name and not each.done]
            keys = _by_month(self._source.keys(table)) if waiting else {}
            for part in waiting:
                self._copy_month(table, part, keys.get(part.month, _NO_KEYS))
                yield replace(part, done=True)
        for table in SOURCES:
            landed = {LANDED[table.name].name, _ledger(table)}
            waiting = [each for each in parts if each.table in landed and not each.done]
            if waiting:
                self._copy_landed(table)
            yield from (replace(part, done=True) for part in waiting)
        if any(not part.done for part in parts):
            _refuse_difference(self.plan())

    def _stored_parts(self, table: Table) -> Iterator[Part]:
        """Compare a table's months, by content and by what the indexes say."""
        wanted, found = self._source.digests(table), self._target.digests(table)
        keys, known = _by_month(self._source.keys(table)), _by_month(self._target.keys(table))
        for month in sorted({*wanted, *keys, *found, *known}):
            same = wanted.get(month) == found.get(month)
            if not same and month in found:
                _missing(table, month, _read(self._source, table, month), _read(self._target, table, month))
            own, theirs = keys.get(month, _NO_KEYS), known.get(month, _NO_KEYS)
            if not (foreign := theirs.join(own, on="key", how="anti")).is_empty():
                raise _foreign(_place(table.name, month), "key", foreign["key"].to_list())
            yield Part(table.name, month, _placed(own).height, month in found, done=same and own.equals(theirs))

    def _landed_parts(self, table: Table, lines: Mapping[str, Sequence[LedgerLine]]) -> Iterator[Part]:
        """Compare the landed records of each month, and the ledgers; ``lines`` are the target's."""
        wanted, found = self._source.landing.lines(table), lines[table.name]
        check_lines(list(chain.from_iterable(lines.values())), wanted)
        numbers = {line.entry.number for line in wanted}
        if foreign := [line.entry.name for line in found if line.entry.number not in numbers]:
            raise _foreign(_ledger(table), "file", foreign)
        rows, there = (_records(lines) for lines in (wanted, found))
        for month in sorted(rows):
            done = rows[month] == there[month] and self._same_records(table, month)
            yield Part(LANDED[table.name].name, month, rows[month], month in there, done=done)
        if wanted:
            yield Part(_ledger(table), 0, len(wanted), bool(found), done=wanted == found)

    def _same_records(self, table: Table, month: int) -> bool:
        landed = LANDED[table.name]
        read = [store.landing.read(table, months=(month, month)) for store in (self._source, self._target)]
        return content_digest(landed, read[0]) == content_digest(landed, read[1])

    def _check_references(self, table: Table, part: Part) -> None:
        columns = [table.key, "user_id", *(each.column for each in table.references)]
        rows = self._source.read(table, Query(months=(part.month, part.month), columns=columns))
        if missing := missing_references(self._source, table, rows):
            index, (reference, *_) = min(missing.items())
            row = rows.slice(index, 1).to_pylist()[0]
            others = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
            place = f"{part} of the source"
            raise RefusedError(
                place,
                found=f"{row[table.key]}{others}, whose {reference.column} is {row[reference.column]}",
                expected=f"a row of the same user in {reference.table}",
                remedy="Run `audience-pipeline verify` on the source, and land what is missing. Nothing was copied.",
            )

    def _copy_month(self, table: Table, part: Part, keys: pl.DataFrame) -> None:
        """Hand over the rows of a month that are missing, and all that the index says of it."""
        rows = _read(self._source, table, part.month)
        placed = _apart(table, rows, keys)[0].num_rows
        if placed != _placed(keys).height:
            raise CorruptionError(
                object=str(part),
                found=f"{placed} rows, and {_placed(keys).height} in the index of the source",
                expected="an index that agrees with the rows",
                remedy="Run `audience-pipeline verify --repair` on the source; and nobody may write to it meanwhile.",
            )
        here = _read(self._target, table, part.month) if part.begun else empty(table)
        missing, copies = _apart(table, _missing(table, part.month, rows, here), keys)
        own = pl.Series(missing.column(table.key))
        for portion in keys.iter_slices(ROWS_AT_ONCE):
            handed = missing.filter(own.is_in(portion["key"].implode()).to_arrow())
            self._target.restore(table, handed, portion.to_arrow(compat_level=pl.CompatLevel.oldest()))
        if copies.num_rows:
            self._target.copy(table, copies)

    def _copy_landed(self, table: Table) -> None:
        """Hand over the lines of the ledger that differ, with the records of the files that are not there yet."""
        landed = {line.entry.number: line for line in self._target.landing.lines(table)}
        differing = [line for line in self._source.landing.lines(table) if line != landed.get(line.entry.number)]
        for start in range(0, len(differing), FILES_AT_ONCE):
            portion = differing[start : start + FILES_AT_ONCE]
            new = [line.entry.number for line in portion if line.months and _is_open(landed.get(line.entry.number))]
            rows = self._source.landing.groups(table, new) if new else iter(())
            self._target.landing.restore(table, portion, rows)
            _LOG.info("Copied %d of %d landed files of %s.", start + len(portion), len(differing), table.name)


def _read(store: TableStore, table: Table, month: int) -> pa.Table:
    return store.read(table, Query(months=(month, month)) if table.by_month else Query())


def _apart(table: Table, rows: pa.Table, keys: pl.DataFrame) -> tuple[pa.Table, pa.Table]:
    """Return an archive's rows apart from its copies of rows that are still live, whose keys it does not have."""
    if index_of(table) is table:
        return rows, rows.slice(0, 0)
    own = pl.Series(rows.column(table.key)).is_in(_placed(keys)["key"].implode())
    return rows.filter(own.to_arrow()), rows.filter((~own).to_arrow())


def _missing(table: Table, month: int, rows: pa.Table, here: pa.Table) -> pa.Table:
    """Return the rows of the source that the target does not have yet.

    Raises:
        RefusedError: the target has others.
    """
    known = dict(zip(rows.column(table.key).to_pylist(), content_digests(table, rows), strict=True))
    present = dict(zip(here.column(table.key).to_pylist(), content_digests(table, here), strict=True))
    others = sorted(key for key, digest in present.items() if known.get(key) != digest)
    if others:
        raise _foreign(_place(table.name, month), "row", others)
    return rows.filter(pa.array([key not in present for key in known], pa.bool_()))


def _by_month(keys: pa.Table) -> dict[int, pl.DataFrame]:
    """Return what an index says by month, sorted so that the rows of a user are together."""
    frame = pl.DataFrame(pl.from_arrow(keys)).sort("user_id", "key")
    return {int(month): part for (month,), part in frame.group_by("month", maintain_order=True)}


def _placed(keys: pl.DataFrame) -> pl.DataFrame:
    return keys.filter(pl.col("phase") != ACCEPTED)


def _records(lines: Sequence[LedgerLine]) -> Counter[int]:
    """Return how many landed records there are of each month."""
    counts: Counter[int] = Counter()
    for line in lines:
        counts.update(line.months)
    return counts


def _is_open(line: LedgerLine | None) -> bool:
    return line is None or line.entry.status == "open"


def _ledger(table: Table) -> str:
    return f"ledger of {table.name}"


def _place(table: str, month: int) -> str:
    return f"{table} {month_text(month)}" if month else table


def _foreign(place: str, kind: str, found: Sequence[str]) -> RefusedError:
    others = f" and {len(found) - 1} others" if len(found) > 1 else ""
    return RefusedError(
        place,
        found=f"{kind} {found[0]}{others} in the target, as the source does not have it",
        expected="nothing but what the source has",
        remedy=EMPTY,
    )


def _refuse_difference(parts: Sequence[Part]) -> None:
    """Raise ConflictError where a part is not the same in both stores."""
    different = [part for part in parts if not part.done]
    if different:
        first = different[0]
        raise ConflictError(
            object=str(first),
            found=f"another content than in the source, in {len(different)} of {len(parts)} parts",
            expected="the same in both stores once all was copied",
            remedy="Stop whatever writes to the source, and run again.",
        )
