"""A migrated dataset for the tests of the Dagster layer, and files beside it for comparison."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from audience_pipeline.settings import Settings
from audience_pipeline.storage.bigquery.client import Warehouse, open_warehouse
from audience_pipeline.storage.bigquery.migration import Migration
from audience_pipeline_tests.dagster.runs import settings_in


@dataclass(frozen=True)
class Both:
    """Settings of the two backends, with directories of their own."""

    parquet: Settings
    bigquery: Settings

    @property
    def each(self) -> tuple[Settings, Settings]:
        return self.parquet, self.bigquery


@pytest.fixture(scope="module")
def warehouse(bigquery_settings: Settings) -> Iterator[Warehouse]:
    """Return the connection to a dataset of the module's own, with all tables."""
    with open_warehouse(bigquery_settings) as opened:
        opened.client.create_dataset(opened.dataset)
        Migration(opened, bigquery_settings).tables(apply_changes=False)
        yield opened


@pytest.fixture
def both(warehouse: Warehouse, bigquery_settings: Settings, tmp_path: Path) -> Both:
    """Return settings for both backends; their tests give each asset a name that no other test uses."""
    assert warehouse.dataset == bigquery_settings.bigquery_dataset
    files = settings_in(tmp_path / "parquet", keyset=tmp_path / "keyset.json")
    other = settings_in(tmp_path / "bigquery", keyset=files.keyset)
    directories = {name: getattr(other, name) for name in ("data_dir", "landing_dir", "quarantine_dir", "keyset")}
    return Both(files, bigquery_settings.model_copy(update=directories))
