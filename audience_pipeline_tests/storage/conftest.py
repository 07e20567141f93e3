"""A store of each backend that passes the contract suite, and the Parquet store with its directory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audience_pipeline.storage.bigquery.store import BigQueryStore
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline_tests.bigquery import fresh_dataset
from audience_pipeline_tests.storage.builders import NOW
from audience_pipeline_tests.storage.emptying import emptied, migrated


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def parquet(root: Path) -> Iterator[ParquetStore]:
    with ParquetStore(root, clock=lambda: NOW) as store:
        yield store


@pytest.fixture(scope="session")
def emulated_dataset(
    bigquery_emulator: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BigQueryStore]:
    """A store on the emulator, whose tables the tests of this process use one after the other."""
    with fresh_dataset(bigquery_emulator, tmp_path_factory.mktemp("data")) as settings, migrated(settings) as store:
        yield store


@pytest.fixture(scope="session")
def service_dataset(
    bigquery_service: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BigQueryStore]:
    """The same on the real service."""
    with fresh_dataset(bigquery_service, tmp_path_factory.mktemp("data")) as settings, migrated(settings) as store:
        yield store


@pytest.fixture(params=["emulated", pytest.param("service", marks=pytest.mark.bigquery_service)])
def bigquery(request: pytest.FixtureRequest) -> BigQueryStore:
    """An empty BigQuery store."""
    return emptied(request.getfixturevalue(f"{request.param}_dataset"))


@pytest.fixture
def emulated(emulated_dataset: BigQueryStore) -> BigQueryStore:
    """An empty store on the emulator."""
    return emptied(emulated_dataset)


@pytest.fixture
def service(service_dataset: BigQueryStore) -> BigQueryStore:
    """An empty store on the real service."""
    return emptied(service_dataset)


@pytest.fixture(
    params=[
        "parquet",
        pytest.param("emulated", marks=pytest.mark.slow),
        pytest.param("service", marks=pytest.mark.bigquery_service),
    ]
)
def store(request: pytest.FixtureRequest) -> TableStore:
    """The store under the contract; a new backend joins by the name of its fixture."""
    opened: TableStore = request.getfixturevalue(request.param)
    return opened
