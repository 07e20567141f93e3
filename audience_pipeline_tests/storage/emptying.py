"""One BigQuery dataset for many tests: made once, emptied before each."""

from collections.abc import Iterator
from contextlib import contextmanager

from audience_pipeline.settings import Settings
from audience_pipeline.storage.bigquery.fences import make_fences
from audience_pipeline.storage.bigquery.migration import Migration
from audience_pipeline.storage.bigquery.staging import PREFIX, drop
from audience_pipeline.storage.bigquery.store import BigQueryStore
from audience_pipeline.tables import BOOKKEEPING, TABLES
from audience_pipeline_tests.storage.builders import NOW

_FENCED = {table.name for table in BOOKKEEPING}
_NAMES = [*TABLES, *_FENCED]


@contextmanager
def migrated(settings: Settings) -> Iterator[BigQueryStore]:
    """Make the tables of a dataset and open its store."""
    with BigQueryStore(settings, clock=lambda: NOW) as store:
        store.warehouse.client.create_dataset(store.warehouse.dataset)
        Migration(store.warehouse, settings).tables(apply_changes=False)
        yield store


def emptied(store: BigQueryStore) -> BigQueryStore:
    """Remove all rows but the fences."""
    counts = " UNION ALL ".join(f"SELECT '{name}' AS name, COUNT(*) AS n FROM {name}" for name in _NAMES)  # noqa: S608 - declared names
    found = store.warehouse.run(counts, object="a test", operation="test").arrow().to_pylist()
    filled = [row["name"] for row in found if row["n"] > (row["name"] in _FENCED)]
    if filled:
        text = "; ".join(f"TRUNCATE TABLE {name}" for name in filled)
        store.warehouse.run(text, object="a test", operation="test")
        make_fences(store.warehouse)
    for table in store.warehouse.client.list_tables(store.warehouse.dataset):
        if table.table_id.startswith(PREFIX):
            drop(store.warehouse, table.table_id)
    return store
