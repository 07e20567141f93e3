"""The emulator as it is served here finds tables by name as it finds them by itself, and keeps the latest results."""

import pytest
from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from audience_pipeline.errors import StorageError
from audience_pipeline.settings import Settings
from audience_pipeline.storage.bigquery.client import open_warehouse

pytestmark = pytest.mark.slow

KEPT_RESULTS = 200
TABLES = """
CREATE TABLE stored (key STRING NOT NULL, at TIMESTAMP);
INSERT INTO stored (key) VALUES ('a'), ('b');
CREATE VIEW seen AS SELECT key FROM stored;
CREATE TABLE dropped (key STRING);
DROP TABLE dropped;
"""


def described(table: bigquery.Table) -> tuple[str, int | None, list[tuple[str, str]]]:
    return table.table_type, table.num_rows, [(field.name, field.mode) for field in table.schema]


def rows_of(client: bigquery.Client, job: str) -> list[int]:
    found = client.get_job(job)
    assert isinstance(found, bigquery.QueryJob)
    return [row.n for row in found.result()]


def test_tables_and_views_are_found_by_name_as_they_are(bigquery_settings: Settings) -> None:
    with open_warehouse(bigquery_settings) as warehouse:
        warehouse.client.create_dataset(warehouse.dataset)
        warehouse.run(TABLES, object="a test", operation="test")
        table, view = (warehouse.client.get_table(warehouse.name(name)) for name in ("stored", "seen"))
        assert described(table) == ("TABLE", 2, [("key", "REQUIRED"), ("at", "NULLABLE")])
        assert described(view)[::2] == ("VIEW", [("key", "NULLABLE")])
        found = warehouse.run("SELECT key FROM seen ORDER BY key", object="a test", operation="test").arrow()
        assert found["key"].to_pylist() == ["a", "b"]
        for missing in ("SELECT * FROM dropped", "SELECT * FROM never"):
            with pytest.raises(StorageError, match=missing.rsplit(maxsplit=1)[-1]):
                warehouse.run(missing, object="a test", operation="test")


def test_results_are_kept_while_others_come_and_the_oldest_go(bigquery_settings: Settings) -> None:
    with open_warehouse(bigquery_settings) as warehouse:
        client = warehouse.client
        first = client.query("SELECT 1 AS n").job_id
        assert rows_of(client, first) == [1]
        for number in range(KEPT_RESULTS - 1):
            client.query_and_wait(f"SELECT {number}")
        assert rows_of(client, first) == [1]
        client.query_and_wait("SELECT 0")
        with pytest.raises(NotFound):
            rows_of(client, first)
