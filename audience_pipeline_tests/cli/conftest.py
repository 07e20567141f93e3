"""The command line over a store with the rows of `queries.world`."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from audience_pipeline.cli import app
from audience_pipeline.settings import variable
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline_tests.queries.world import populate

Command = Callable[..., Result]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """The data directory the environment names, with nothing in it yet."""
    return tmp_path / "data"


@pytest.fixture
def command(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run one command; an exception that is not its exit is a failure of the test."""
    monkeypatch.setenv(variable("data_dir"), str(data_dir))
    monkeypatch.setenv(variable("landing_dir"), str(data_dir.with_name("landing")))
    monkeypatch.setenv(variable("quarantine_dir"), str(data_dir.with_name("quarantine")))
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, list(arguments), catch_exceptions=False)


@pytest.fixture
def stored(data_dir: Path) -> Path:
    """The data directory with rows."""
    with ParquetStore(data_dir) as store:
        populate(store)
    return data_dir
