"""The IO manager's BigQuery backend: derived tables in the dataset of the declared ones.

Belongs here: what dagster-gcp's client is told. Does not belong here: Dagster's verbs (:mod:`.manager`), or statements
that write. Google's libraries and dagster-gcp, which take seconds to import, are imported when a run begins.
"""

from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa

from audience_pipeline.io_managers.derived import cut
from audience_pipeline.io_managers.reports import Metadata, size_metadata
from audience_pipeline.io_managers.slices import Slice
from audience_pipeline.storage.bigquery.derived import DerivedTable
from audience_pipeline.tables import Table

if TYPE_CHECKING:
    from audience_pipeline.storage.bigquery.store import BigQueryStore


class Dataset:
    """Derived tables of a dataset, beside the store of its declared ones."""

    def __init__(self, store: "BigQueryStore") -> None:
        from audience_pipeline.io_managers.gcp import WarehouseClient  # noqa: PLC0415 - takes seconds

        self._warehouse = store.warehouse
        self._client = WarehouseClient(store.warehouse)

    def replace(self, slice_: Slice, rows: pa.Table, month_column: str | None) -> Metadata:
        """Replace the slice in one transaction or statement; see :class:`.manager.Backend`."""
        months, column = cut(slice_, rows, month_column)
        table = DerivedTable(self._warehouse, slice_.path)
        return self._told(table.name, table.replace(months, column), slice_)

    def read(self, slice_: Slice) -> pa.Table:
        """Return the rows of the slice; see :class:`.manager.Backend`."""
        return DerivedTable(self._warehouse, slice_.path).read(slice_.months, slice_.columns)

    def size(self, table: Table, slice_: Slice) -> Metadata:
        """Return the bytes of the slice; see :class:`.manager.Backend`."""
        return self._told(table.name, "created_at" if table.by_month else None, slice_)

    def _told(self, name: str, month_column: str | None, slice_: Slice) -> Metadata:
        """Return the bytes of a slice, and of its table where it is a part of it; and how it is read."""
        whole = self._client.slice_of(name, None, None)
        part = self._client.slice_of(name, month_column, slice_.months)
        read = {"query": dg.MetadataValue.md(f"```sql\n{self._client.get_select_statement(part)}\n```")}
        if part == whole:
            return size_metadata(self._client.bytes_of(whole)) | read
        known = {} if self._warehouse.emulated else size_metadata(self._client.bytes_of(part))
        return known | {"table bytes": self._client.bytes_of(whole)} | read
