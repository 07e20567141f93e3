"""What rotation is tested on: the stores of the contract suite, with sealed platforms in them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from audience_pipeline.storage.contract import TableStore
from audience_pipeline_tests.ingest.builders import settings_in
from audience_pipeline_tests.rotation.vault import Vault
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
def vault(store: TableStore, tmp_path: Path) -> Vault:
    """An installation on either backend."""
    return Vault(store, settings_in(tmp_path)).fill()


@pytest.fixture(params=["parquet", pytest.param("emulated", marks=pytest.mark.prove)])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Vault:
    """The same, where only the proofs use BigQuery: each rotation there takes seconds."""
    return Vault(request.getfixturevalue(request.param), settings_in(tmp_path)).fill()


@pytest.fixture
def on_files(tmp_path: Path) -> Iterator[Vault]:
    """The same on files only."""
    made = Vault.on_files(tmp_path).fill()
    yield made
    made.store.close()
