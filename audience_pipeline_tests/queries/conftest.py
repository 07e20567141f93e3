"""A store with the rows of :mod:`.world`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline_tests.queries.world import populate


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ParquetStore]:
    with ParquetStore(tmp_path / "data") as opened:
        populate(opened)
        yield opened
