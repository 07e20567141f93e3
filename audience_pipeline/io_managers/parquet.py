"""The IO manager of the Parquet backend, for declared tables and for users' own derived ones.

Belongs here: Dagster's two verbs, and what they report. Does not belong here: what a slice is, rules about rows, files.

Dagster's own `DbIOManager` gave the idea (a slice as a value, then the I/O; `columns` and `partition_expr` in
metadata), but not the code: it deletes a slice before it writes it, which shows a hole to readers and loses the slice
in a crash, and knows no upsert.
"""

from pathlib import Path
from typing import Any

import dagster as dg

from audience_pipeline.ingest.fold import note_folded
from audience_pipeline.io_managers import declared, derived
from audience_pipeline.io_managers.frames import from_arrow, to_arrow
from audience_pipeline.io_managers.reports import refusal_metadata, slice_metadata, upsert_metadata
from audience_pipeline.io_managers.slices import Slice, slice_of
from audience_pipeline.policies import classed_failures, location
from audience_pipeline.settings import Settings
from audience_pipeline.tables import Table


class TableIOManager(dg.IOManager):
    """Upserts what an asset named like a declared table returns, replaces the slice of any other, and reads both."""

    def __init__(self, parts: "ParquetIOManager") -> None:
        self._settings: Settings = parts.settings
        self._clock = parts.clock
        self._store = parts.store

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:  # noqa: ANN401 - what an asset returned
        """Store a frame: of one month, of a range of months, or of a whole table."""
        with classed_failures():
            slice_ = slice_of(context)
            rows = to_arrow(obj, slice_.asset)
            table = declared.declared_table(slice_)
            if table is None:
                column = (context.definition_metadata or {}).get("partition_expr")
                size = derived.write(self._root, slice_, rows, column)
                context.add_output_metadata(slice_metadata(slice_, rows=rows.num_rows, bytes=size))
            else:
                self._upsert(context, slice_, table, rows)
            context.add_output_metadata(location(self._settings, slice_.path))

    def load_input(self, context: dg.InputContext) -> Any:  # noqa: ANN401 - what the parameter is annotated with
        """Return the slice a parameter is about, as the kind of frame it is annotated with."""
        with classed_failures():
            slice_ = slice_of(context)
            table = declared.declared_table(slice_)
            rows = derived.read(self._root, slice_) if table is None else declared.read(self._store, table, slice_)
            return from_arrow(rows, context.dagster_type.typing_type, slice_.asset)

    @property
    def _root(self) -> Path:
        return self._settings.data_dir

    def _upsert(self, context: dg.OutputContext, slice_: Slice, table: Table, rows: Any) -> None:  # noqa: ANN401 - Arrow
        """Upsert, keep what was refused in quarantine, and report the slice as it is now.

        One refused row does not fail the month: the others are stored, and an asset check warns of it.
        """
        result = declared.upsert(self._store, table, rows)
        if result.refused:
            from audience_pipeline.ingest.quarantine import quarantine_refusals  # noqa: PLC0415 - rarely needed

            quarantine_refusals(self._settings, table, rows, result.refused, self._clock())
            context.add_output_metadata(refusal_metadata(result.refused))
        note_folded(self._store, table, rows, result.refused, slice_.months)
        context.add_output_metadata(upsert_metadata(result))
        count, size, digest = declared.measure(self._store, table, slice_)
        context.add_output_metadata(slice_metadata(slice_, rows=count, bytes=size, digest=digest))


class ParquetIOManager(dg.ConfigurableIOManagerFactory[TableIOManager]):
    """Keeps tables as the documented Parquet files.

    An asset named like a landed source (`audiences`, ...) is upserted under the rules of its declaration. Any other is
    a derived table: its month, range of months or whole is replaced. Both are returned as the parameter's annotation
    says: `pyarrow.Table`, `polars.DataFrame`, `polars.LazyFrame` or `pandas.DataFrame`; metadata `columns` on an input
    reads only those.
    """

    settings: dg.ResourceDependency[Any]
    clock: dg.ResourceDependency[Any]
    store: dg.ResourceDependency[Any]

    def create_io_manager(self, context: dg.InitResourceContext) -> TableIOManager:  # noqa: ARG002 - Dagster's signature
        """Return the IO manager, on the store of the run."""
        return TableIOManager(self)
