"""The IO manager's Parquet backend: derived tables in files of their own.

Belongs here: files. Does not belong here: Dagster's verbs (:mod:`.manager`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa

from audience_pipeline.io_managers.derived import cut
from audience_pipeline.io_managers.manager import TableIOManager
from audience_pipeline.io_managers.reports import Metadata, size_metadata
from audience_pipeline.io_managers.slices import Slice
from audience_pipeline.storage.parquet.derived import DerivedTable
from audience_pipeline.tables import Table

if TYPE_CHECKING:
    from audience_pipeline.storage.parquet.store import ParquetStore


class Files:
    """Derived tables below a data directory, beside the store of its declared ones."""

    def __init__(self, root: Path, store: "ParquetStore") -> None:
        self._root = root
        self._store = store

    def replace(self, slice_: Slice, rows: pa.Table, month_column: str | None) -> Metadata:
        """Write the months of the slice; see :class:`.manager.Backend`."""
        months, _ = cut(slice_, rows, month_column)
        return size_metadata(DerivedTable(self._root, slice_.path).replace(months))

    def read(self, slice_: Slice) -> pa.Table:
        """Return the rows of the slice; see :class:`.manager.Backend`."""
        return DerivedTable(self._root, slice_.path).read(slice_.months or (0, 0), slice_.columns)

    def size(self, table: Table, slice_: Slice) -> Metadata:
        """Return the bytes of the slice's files; see :class:`.manager.Backend`."""
        return size_metadata(sum(Path(file).stat().st_size for file in self._store.files(table, months=slice_.months)))


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
        files = Files(self.settings.data_dir, self.store)
        return TableIOManager(self.settings, self.clock, self.store, files)
