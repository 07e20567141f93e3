"""Sealed texts as they are stored, and what may replace them when keys are rotated.

Belongs here: finding them, and the rule that nothing but the sealing changes, the same on every backend. Does not
belong here: writing them, or opening and sealing. A text is found once in the live table and once in each landed record
that has it.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from audience_pipeline.errors import RefusedError
from audience_pipeline.storage.contract import Query, Resealed, TableStore
from audience_pipeline.tables import LANDED, POSITION, Column, Table
from audience_pipeline.tables.canonical import comparable

USERS_AT_ONCE = 500


class SealedText(NamedTuple):
    """The text of a secret column: in which table (a source or its landed records), at which row, and whose it is."""

    table: Table
    place: str | int
    key: str
    user_id: str
    text: str

    def resealed(self, text: str) -> Resealed:
        """Return its replacement by ``text``."""
        return Resealed(self.place, self.user_id, self.text, text)


def secret_column(table: Table) -> Column:
    """Return the column of a table that has secrets."""
    return next(column for column in table.columns if column.secret)


def sealed_texts(store: TableStore, table: Table) -> Iterator[list[SealedText]]:
    """Yield the texts of a source with secrets, portion by portion: first of its landed records, then of its rows.

    In this order a text that is folded meanwhile is found after it was folded.
    """
    landed = LANDED[table.name]
    for group in store.landing.groups(table):
        yield _texts(landed, POSITION, group)
    users = iter(dict.fromkeys(home.user_id for home in store.homes(table)))
    columns = [table.key, "user_id", secret_column(table).name]
    while portion := list(islice(users, USERS_AT_ONCE)):
        yield _texts(table, table.key, store.read(table, Query(columns, user_ids=portion)))


def check_resealed(table: Table, rows: Sequence[Resealed]) -> None:
    """Refuse replacements that change more than the sealing.

    Raises:
        RefusedError: naming the row.
    """
    column = secret_column(table)
    for row in rows:
        if comparable(column, row.old) != comparable(column, row.new):
            subject = f"{table.name} {row.place}"
            raise RefusedError(
                subject,
                found=f"{column.name} that say something else",
                expected="the same ones, sealed under another key",
                remedy="Land a new record to change them.",
            )


def _texts(table: Table, place: str, rows: pa.Table) -> list[SealedText]:
    column = secret_column(table).name
    rows = rows.filter(pc.is_valid(rows.column(column)))
    named = (rows.column(name).to_pylist() for name in (place, table.key, "user_id", column))
    return [SealedText(table, *each) for each in zip(*named, strict=True)]
