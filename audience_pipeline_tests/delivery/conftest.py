"""What delivery is tested on: the stores of the contract suite, a sandbox platform, and an engine between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from audience_pipeline.delivery.engine import Engine
from audience_pipeline.storage.contract import TableStore
from audience_pipeline_tests.delivery.world import Clock, fill, worker
from audience_pipeline_tests.sandbox_process import Sandbox
from audience_pipeline_tests.storage.conftest import (
    bigquery,
    emulated,
    emulated_dataset,
    parquet,
    root,
    service,
    service_dataset,
)

__all__ = ["bigquery", "emulated", "emulated_dataset", "parquet", "root", "service", "service_dataset"]


@pytest.fixture(
    params=[
        "parquet",
        pytest.param("emulated", marks=pytest.mark.prove),
        pytest.param("service", marks=pytest.mark.bigquery_service),
    ]
)
def store(request: pytest.FixtureRequest) -> TableStore:
    """A store of either backend, where only the proofs use BigQuery (deliveries there take seconds)."""
    opened: TableStore = request.getfixturevalue(request.param)
    return opened


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A platform of its own for a test, that decides at once."""
    with Sandbox(tmp_path / "sandbox.sqlite") as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(store: TableStore, sandbox: Sandbox, clock: Clock) -> Iterator[Engine]:
    """An engine on a store that has one distribution which waits for its approval."""
    fill(store)
    with worker(store, sandbox.url, clock) as made:
        yield made


@pytest.fixture
def on_files(parquet: TableStore, sandbox: Sandbox, clock: Clock) -> Iterator[Engine]:
    """The same on files, for what does not depend on the backend."""
    fill(parquet)
    with worker(parquet, sandbox.url, clock) as made:
        yield made
