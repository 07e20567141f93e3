"""Settings on a directory of the test, the definitions for them, and an instance that leaves nothing behind."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from audience_pipeline.definitions import build_defs
from audience_pipeline.settings import Settings
from audience_pipeline_tests.dagster.runs import settings_in

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Dagster warns of betas from inside its own code, where nothing of ours can decide otherwise."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::dagster.BetaWarning"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


@pytest.fixture
def defs(settings: Settings) -> dg.Definitions:
    return build_defs(settings)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral
