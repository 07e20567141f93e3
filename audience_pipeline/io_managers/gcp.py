"""dagster-gcp's client of BigQuery, on this package's connection.

Belongs here: what must not be as dagster-gcp has it. Does not belong here: writing. Imported when a run begins, since
dagster-gcp takes seconds to import.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dagster import TimeWindow
from dagster._core.storage.db_io_manager import TablePartitionDimension, TableSlice
from dagster_gcp.bigquery.io_manager import BigQueryClient
from google.cloud import bigquery

from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.months import month_bounds

_MIDNIGHT = " 00:00:00'"


class WarehouseClient(BigQueryClient):
    """Connects as the settings say, and never deletes a slice before the new one is there.

    As dagster-gcp has it, the client takes no endpoint, credentials or limits, and a slice is deleted in one job and
    loaded in another: a reader sees a hole, and a crash loses the slice.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        super().__init__()
        self._warehouse = warehouse

    def slice_of(self, name: str, month_column: str | None, months: tuple[int, int] | None) -> TableSlice:
        """Return months of a table, first to last, as dagster-gcp has it; all of it where the table has none."""
        window: list[TablePartitionDimension] = []
        if month_column is not None and months is not None:
            window.append(TablePartitionDimension(f"`{month_column}`", TimeWindow(*month_bounds(*months))))
        return TableSlice(name, self._warehouse.dataset, self._warehouse.project, None, window)

    def bytes_of(self, table_slice: TableSlice) -> int:
        """Return the bytes of a slice: what a read of it is billed. An emulator knows them of tables only."""
        asked = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
        name = self.get_table_name(table_slice)
        with self._warehouse.errors(f"table {name}"), self.connect(None, table_slice) as client:
            if not table_slice.partition_dimensions:
                return int(client.get_table(name, retry=self._warehouse.retry).num_bytes or 0)
            job = client.query(self.get_select_statement(table_slice), job_config=asked, retry=self._warehouse.retry)
            return int(job.total_bytes_processed or 0)

    @contextmanager
    def connect(  # type: ignore[override] # a static method there, which knows of no connection but its own
        self,
        context: Any,  # noqa: ANN401, ARG002 - as inherited
        table_slice: TableSlice,  # noqa: ARG002 - the same
    ) -> Iterator[bigquery.Client]:
        """Yield the client of the warehouse."""
        yield self._warehouse.client

    @staticmethod
    def get_select_statement(table_slice: TableSlice) -> str:
        """Return a statement for the console; its bounds are dates, which a DATE can be compared with as well."""
        return BigQueryClient.get_select_statement(table_slice).replace(_MIDNIGHT, "'")

    @staticmethod
    def ensure_schema_exists(context: Any, table_slice: TableSlice, connection: Any) -> None:  # noqa: ANN401 - the same
        """Do nothing: `audience-pipeline migrate` makes the dataset, where it should be."""

    @staticmethod
    def delete_table_slice(context: Any, table_slice: TableSlice, connection: Any) -> None:  # noqa: ANN401 - the same
        """Do nothing: a slice is replaced, and never deleted before that."""
