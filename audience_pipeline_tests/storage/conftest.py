"""A store of each backend that passes the contract suite, and the Parquet store with its directory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from audience_pipeline.storage.contract import TableStore
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline_tests.storage.builders import NOW


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def parquet(root: Path) -> Iterator[ParquetStore]:
    with ParquetStore(root, clock=lambda: NOW) as store:
        yield store


@pytest.fixture(params=["parquet"])
def store(request: pytest.FixtureRequest) -> TableStore:
    """The store under the contract; a new backend joins by the name of its fixture."""
    opened: TableStore = request.getfixturevalue(request.param)
    return opened
