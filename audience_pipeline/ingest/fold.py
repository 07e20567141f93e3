"""Landed records as the rows an upsert takes, and the note that they were taken.

Belongs here: these two steps, shared by the command line and Dagster. Which record of a key wins is the store's rule
(newest), so every record goes in, and its place in the order of landing with it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from audience_pipeline.storage.contract import Refusal, TableStore
from audience_pipeline.tables import POSITION, Table
from audience_pipeline.tables.landed import LINES_PER_FILE

if TYPE_CHECKING:
    import pyarrow as pa


def fold(table: Table, records: "pa.Table") -> "pa.Table":
    """Return landed ``records`` of ``table`` as candidates for its rows: its columns and ``landed_position``."""
    return records.select([*table.column_names, POSITION])


def note_folded(
    store: TableStore, table: Table, rows: "pa.Table", refused: Sequence[Refusal], months: tuple[int, int] | None
) -> None:
    """Note which landed files the upserted ``rows``, all that had landed in ``months``, came from.

    A file whose other months are still to be folded stays unfolded until they are. Rows without a position did not
    land, and are nobody's.
    """
    if POSITION not in rows.column_names:
        return
    import pyarrow.compute as pc  # noqa: PLC0415 - importing the code location needs none of it

    files = pc.divide(rows.column(POSITION), LINES_PER_FILE)
    numbers = set(pc.unique(files).to_pylist())
    late = Counter(files[refusal.row].as_py() for refusal in refused)
    for entry in store.landing.unfolded(table):
        if entry.number in numbers:
            store.landing.mark_folded([entry], {"refused_late": late[entry.number]}, months=months)
