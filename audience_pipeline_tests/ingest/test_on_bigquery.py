"""An ingest into BigQuery: the same reports, rows, ledger and quarantine as on files."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from audience_pipeline.ingest.files import Landing
from audience_pipeline.ingest.run import IngestReport, ingest_files
from audience_pipeline.settings import Settings
from audience_pipeline.storage.bigquery.migration import Migration
from audience_pipeline.storage.bigquery.store import BigQueryStore
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import SOURCES, TABLES
from audience_pipeline.tables.landed import POSITION
from audience_pipeline_tests.ingest.builders import (
    NOW,
    Record,
    audience,
    distribution,
    platform,
    settings_in,
    user,
    uuid,
    write,
)

pytestmark = pytest.mark.slow

QUOTA = {"max_audiences": 2, "max_distributions_per_month": 1}
FILES: tuple[tuple[str, list[Record | bytes]], ...] = (
    ("users", [user(quota=QUOTA), user("other"), user("other", organization="later")]),
    ("audiences", [audience(1), audience(2), audience(3), audience(4, user_id="other"), b"broken"]),
    ("platforms", [platform(1), platform(2, user_id="other", status="inactive")]),
    ("distributions", [distribution(1), distribution(2), distribution(3, audience_id=uuid(9), user_id="other")]),
    ("audiences", [audience(1, name="newer", updated_at="2025-06-01T00:00:00Z"), audience(2, user_id="other")]),
    ("audiences", [audience(9, user_id="other")]),
)
"""Quotas of two audiences and one distribution, a broken line, another tenant's key, and a missing reference."""


@pytest.fixture(scope="module")
def warehouse(bigquery_settings: Settings) -> Iterator[BigQueryStore]:
    with BigQueryStore(bigquery_settings, clock=lambda: NOW) as store:
        store.warehouse.client.create_dataset(store.warehouse.dataset)
        Migration(store.warehouse, bigquery_settings).tables(apply_changes=False)
        yield store


def ingested(store: TableStore, directory: Path) -> list[IngestReport]:
    """Ingest the files, the first one twice; return the reports."""
    settings = settings_in(directory)
    landing = Landing(store, settings, lambda: NOW)
    sent = [write(directory / "sent" / f"{number}.ndjson", records) for number, (_, records) in enumerate(FILES)]
    tables = [TABLES[table] for table, _ in FILES]
    return [
        ingest_files(landing, table, [path]) for table, path in [*zip(tables, sent, strict=True), (tables[0], sent[0])]
    ]


def state(store: TableStore, directory: Path) -> Mapping[str, Any]:
    """Return what a store holds, whatever it keeps it in and wherever the files came from."""
    own = [POSITION, "landed_file"]
    return {
        "rows": {table.name: store.digests(table) for table in SOURCES},
        "landed": {table.name: store.landing.read(table).drop_columns(own).to_pylist() for table in SOURCES},
        "unfolded": [entry.name for table in SOURCES for entry in store.landing.unfolded(table)],
        "quarantine": sorted(path.name for path in settings_in(directory).quarantine_dir.rglob("*") if path.is_file()),
        "waiting": [store.landing.waiting(table, "user123") for table in SOURCES],
    }


def test_files_are_ingested_as_on_files(warehouse: BigQueryStore, tmp_path: Path) -> None:
    here, there = tmp_path / "parquet", tmp_path / "bigquery"
    with ParquetStore(here / "data", clock=lambda: NOW) as parquet:
        assert ingested(warehouse, there) == ingested(parquet, here)
        assert state(warehouse, there) == state(parquet, here)
    assert warehouse.verify() == []
