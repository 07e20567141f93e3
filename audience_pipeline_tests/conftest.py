"""What every test stands on: no settings, home or clock speed of the machine that happens to run it."""

import os
from collections.abc import Iterator

import hypothesis
import pytest

from audience_pipeline.settings import PREFIX
from audience_pipeline_tests.bigquery import (
    bigquery_emulator,
    bigquery_endpoint,
    bigquery_service,
    bigquery_settings,
)

__all__ = ["bigquery_emulator", "bigquery_endpoint", "bigquery_service", "bigquery_settings"]

# On shared cores a deadline measures the neighbours.
hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")


@pytest.fixture(scope="session", autouse=True)
def _nothing_of_this_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Take settings and credentials out of the environment, and put the home, where either may lie, elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.upper().startswith((PREFIX, "GOOGLE_", "BIGQUERY_"))]:
            patch.delenv(name)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield
