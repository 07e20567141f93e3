"""The IO manager's Parquet backend: derived tables in files of their own.

Belongs here: files. Does not belong here: Dagster's verbs (:mod:`.manager`).
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from audience_pipeline.io_managers.derived import cut
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
