"""What retention is tested on: the stores of the contract suite, and a clock that stands still."""

import pytest

from audience_pipeline.storage.contract import TableStore
from audience_pipeline_tests.retention.attic import NOW, Attic, Clock
from audience_pipeline_tests.storage.conftest import (
    bigquery,
    emulated,
    emulated_dataset,
    parquet,
    root,
    service,
    service_dataset,
    store,
)

__all__ = ["bigquery", "emulated", "emulated_dataset", "parquet", "root", "service", "service_dataset", "store"]


@pytest.fixture
def attic(store: TableStore) -> Attic:
    """An empty store of either backend, whose rows are archived after 90 days and an hour's grace."""
    return Attic(store, Clock(NOW))


@pytest.fixture(params=["parquet", pytest.param("emulated", marks=pytest.mark.prove)])
def anywhere(request: pytest.FixtureRequest) -> Attic:
    """The same, where only the proofs use BigQuery: each run there takes seconds."""
    return Attic(request.getfixturevalue(request.param), Clock(NOW))


@pytest.fixture
def on_files(parquet: TableStore) -> Attic:
    """The same on files only."""
    return Attic(parquet, Clock(NOW))
