"""What a store may be asked to take over from another: rows as they are, its index, and its ledger.

Belongs here: the form of an index, and what is refused, the same on every backend. Does not belong here: writing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from audience_pipeline.errors import RefusedError
from audience_pipeline.storage.archives import index_of
from audience_pipeline.storage.contract import Placement
from audience_pipeline.storage.ledger import LedgerEntry
from audience_pipeline.tables import Table
from audience_pipeline.tables.bookkeeping import ACCEPTED, ARCHIVED, PLACED

KEY_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("user_id", pa.string()),
        ("month", pa.int64()),
        ("phase", pa.string()),
        ("position", pa.int64()),
        ("accepted_month", pa.int64()),
    ]
)
"""What an index says of a key: its place, its phase (accepted, placed or archived), the newest landed position of the
content it has, and the UTC month it was first accepted in, both 0 where it was neither."""

_STATUSES = ("open", "landed", "folded")
EMPTY = "Copy into a store that is empty, or that an interrupted copy of this one left."


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """An entry of the ledger with what else is on record of it.

    ``months`` are its accepted records by month (0 without months), once it landed; ``folded`` the months that were
    folded while others were not.
    """

    entry: LedgerEntry
    months: Mapping[int, int]
    folded: frozenset[int]


def key_table(rows: Sequence[Sequence[object]]) -> pa.Table:
    """Return an index as Arrow; each row has the values of :data:`KEY_SCHEMA`."""
    arrays = [pa.array([row[place] for row in rows], each.type) for place, each in enumerate(KEY_SCHEMA)]
    return pa.table(arrays, KEY_SCHEMA)


def phase_of_rows(table: Table) -> str:
    """Return the phase of keys whose row is in ``table``."""
    return PLACED if index_of(table) is table else ARCHIVED


def check_restored(table: Table, rows: pl.DataFrame, keys: pl.DataFrame, placements: Mapping[str, Placement]) -> None:
    """Refuse rows that cannot be taken over.

    Args:
        table: the table.
        rows: the rows to be written, as prepared for an upsert.
        keys: what the other store's index says of them and of other keys.
        placements: where the keys live in this store.

    Raises:
        RefusedError: naming the first key that is wrong.
    """
    new = set(rows[table.key])
    phase = phase_of_rows(table)
    if lost := new.difference(keys.filter(pl.col("phase") == phase)["key"]):
        raise _refused(table, min(lost), "a row the index does not have", "an index of all rows", _VERIFY)
    for key, user_id, month, wanted, *_ in keys.iter_rows():
        home = placements.get(key)
        if home is None:
            if wanted != ACCEPTED and key not in new:
                raise _refused(table, key, "no row of a key the index has", "an index of the rows", _VERIFY)
        elif (home.user_id, home.month) != (user_id, month):
            found = f"the key at another place (month {home.month or 'none'})"
            raise _refused(table, key, found, f"no such key, or the one of month {month or 'none'}", EMPTY)
        elif home.placed and (key in new or home.archived != (phase == ARCHIVED)):
            raise _refused(table, key, "another row of this key", "none", EMPTY)


def check_lines(known: Sequence[LedgerLine], lines: Sequence[LedgerLine]) -> None:
    """Refuse files whose number or content is another's among the ``known`` ones of any table.

    Raises:
        RefusedError: naming the file.
    """
    entries = [line.entry for line in known]
    numbers = {entry.number: entry for entry in entries}
    contents = {(entry.table, entry.digest): entry for entry in entries}
    for entry in [line.entry for line in lines]:
        for found in (numbers.get(entry.number), contents.get((entry.table, entry.digest))):
            if found is not None and not _may_become(found, entry):
                raise RefusedError(
                    object=f"landed file {entry.name}, number {entry.number}",
                    found=f"{found.name} of {found.table}, number {found.number}, {found.status}, in the ledger",
                    expected=f"no file of this number or content but itself, at most {entry.status}",
                    remedy=EMPTY,
                )


def _may_become(found: LedgerEntry, entry: LedgerEntry) -> bool:
    """Return whether both are of one file, which has come no further here."""
    here, there = ((each.number, each.table, each.digest, each.name) for each in (found, entry))
    return here == there and _STATUSES.index(found.status) <= _STATUSES.index(entry.status)


_VERIFY = "Run `audience-pipeline verify --repair` on the store that is copied."


def _refused(table: Table, key: str, found: str, expected: str, remedy: str) -> RefusedError:
    return RefusedError(f"{table.name} {key}", found=found, expected=expected, remedy=remedy)
