"""One BigQuery dataset for many tests: made once, emptied before each of what the one before wrote."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from audience_pipeline.settings import Settings
from audience_pipeline.storage.bigquery.client import Result, Warehouse
from audience_pipeline.storage.bigquery.migration import Migration
from audience_pipeline.storage.bigquery.staging import PREFIX, drop
from audience_pipeline.storage.bigquery.store import BigQueryStore
from audience_pipeline.tables import BOOKKEEPING, LEDGER, TABLES
from audience_pipeline_tests.storage.builders import NOW

_FENCED = {table.name: table for table in BOOKKEEPING}
_NAMES = (*TABLES, *_FENCED)
_WRITES = ("INSERT INTO", "UPDATE ", "DELETE FROM")


class WatchedWarehouse(Warehouse):
    """A warehouse that remembers which tables it may have written to."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.touched: set[str] = set()

    def run(self, statement: str, *arguments: Any, **options: Any) -> Result:  # noqa: ANN401 - handed on
        """Note the tables a statement names if it writes, and run it."""
        if any(word in statement for word in _WRITES):
            self.touched |= {name for name in _NAMES if f"`{name}`" in statement or f" {name}" in statement}
        return super().run(statement, *arguments, **options)


@contextmanager
def migrated(settings: Settings) -> Iterator[BigQueryStore]:
    """Make the tables of a dataset and open its store."""
    warehouse = WatchedWarehouse(settings)
    warehouse.client.create_dataset(warehouse.dataset)
    Migration(warehouse, settings).tables(apply_changes=False)
    with BigQueryStore(settings, clock=lambda: NOW, warehouse=warehouse) as store:
        yield store


def _emptying(name: str) -> str:
    if name in TABLES:
        return f"TRUNCATE TABLE {name}"
    key = _FENCED[name].key
    return f"DELETE FROM {name} WHERE {key} NOT IN ({'0' if _FENCED[name] is LEDGER else repr('')})"  # noqa: S608 - declared names


def emptied(store: BigQueryStore) -> BigQueryStore:
    """Remove all rows but the fences."""
    warehouse = store.warehouse
    assert isinstance(warehouse, WatchedWarehouse)
    if warehouse.touched:
        text = "; ".join(_emptying(name) for name in sorted(warehouse.touched))
        warehouse.run(text, object="a test", operation="test")
        warehouse.touched.clear()
    for table in warehouse.client.list_tables(warehouse.dataset):
        if table.table_id.startswith(PREFIX):
            drop(warehouse, table.table_id)
    return store
