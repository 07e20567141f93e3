"""The IO manager: declared tables and users' own derived ones, in whatever backend keeps them.

Belongs here: Dagster's two verbs, and what they report. Does not belong here: what a slice is, rules about rows, how a
backend keeps a derived table (:mod:`.parquet`, :mod:`.bigquery`).

Dagster's own `DbIOManager` gave the idea (a slice as a value, then the I/O; `columns` and `partition_expr` in
metadata), but not the code: it deletes a slice before it writes it, which shows a hole to readers and loses the slice
in a crash, and knows no upsert.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

import dagster as dg
import pyarrow as pa

from audience_pipeline.ingest.fold import note_folded
from audience_pipeline.io_managers import declared
from audience_pipeline.io_managers.frames import from_arrow, to_arrow
from audience_pipeline.io_managers.reports import Metadata, refusal_metadata, slice_metadata, upsert_metadata
from audience_pipeline.io_managers.slices import Slice, slice_of
from audience_pipeline.policies import classed_failures, location
from audience_pipeline.settings import Settings
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.tables import Table


class Backend(Protocol):
    """What the IO manager needs of a backend beside the store's contract."""

    def replace(self, slice_: Slice, rows: pa.Table, month_column: str | None) -> Metadata:
        """Replace the slice of a derived table; return what is known of its size.

        ``month_column`` names the timestamp or date that decides a row's month (``created_at`` unless the asset's
        metadata has ``partition_expr``). A slice of one month needs none: all rows are that month's.

        Raises:
            RefusedError: a row lies outside the months of the slice, or months cannot be told apart.
        """

    def read(self, slice_: Slice) -> pa.Table:
        """Return the rows of the slice of a derived table."""

    def size(self, table: Table, slice_: Slice) -> Metadata:
        """Return what is known of the size of a slice of a declared table, its rows excepted."""


class TableIOManager(dg.IOManager):
    """Upserts what an asset named like a declared table returns, replaces the slice of any other, and reads both."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime], store: TableStore, backend: Backend) -> None:
        self._settings = settings
        self._clock = clock
        self._store = store
        self._backend = backend

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:  # noqa: ANN401 - what an asset returned
        """Store a frame: of one month, of a range of months, or of a whole table."""
        with classed_failures():
            slice_ = slice_of(context)
            rows = to_arrow(obj, slice_.asset)
            table = declared.declared_table(slice_)
            if table is None:
                column = (context.definition_metadata or {}).get("partition_expr")
                size = self._backend.replace(slice_, rows, column)
                context.add_output_metadata(slice_metadata(slice_, rows=rows.num_rows) | size)
            else:
                self._upsert(context, slice_, table, rows)
            context.add_output_metadata(location(self._settings, slice_.path))

    def load_input(self, context: dg.InputContext) -> Any:  # noqa: ANN401 - what the parameter is annotated with
        """Return the slice a parameter is about, as the kind of frame it is annotated with."""
        with classed_failures():
            slice_ = slice_of(context)
            table = declared.declared_table(slice_)
            rows = self._backend.read(slice_) if table is None else declared.read(self._store, table, slice_)
            return from_arrow(rows, context.dagster_type.typing_type, slice_.asset)

    def _upsert(self, context: dg.OutputContext, slice_: Slice, table: Table, rows: pa.Table) -> None:
        """Upsert, keep what was refused in quarantine, and report the slice as it is now.

        One refused row does not fail the month: the others are stored, and an asset check warns of it.
        """
        result = declared.upsert(self._store, table, rows)
        if result.refused:
            from audience_pipeline.ingest.late import quarantine_refusals  # noqa: PLC0415 - rarely needed

            quarantine_refusals(self._settings, table, rows, result.refused, self._clock())
            context.add_output_metadata(refusal_metadata(result.refused))
        note_folded(self._store, table, rows, result.refused, slice_.months)
        context.add_output_metadata(upsert_metadata(result))
        count, digest = declared.measure(self._store, table, slice_)
        context.add_output_metadata(slice_metadata(slice_, rows=count) | self._backend.size(table, slice_))
        context.add_output_metadata({"content digest": digest})
