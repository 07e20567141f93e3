"""Where tests find BigQuery: an emulator, one for each test process, or the real service.

Belongs here: the fixtures of both. Does not belong here: any test, or how an emulator runs.

A test that takes `bigquery_settings` is collected twice: for the emulator, and, marked `bigquery_service`, for the
service, which takes part only on demand:

    TEST_BIGQUERY_PROJECT=my-project GOOGLE_APPLICATION_CREDENTIALS=key.json make test ARGS="-m bigquery_service"

`TEST_BIGQUERY_LOCATION` names where its datasets are to be made.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

from audience_pipeline.errors import PipelineError
from audience_pipeline.settings import Settings
from audience_pipeline.storage.bigquery.client import open_warehouse
from audience_pipeline.storage.bigquery.placing import VIEWS_SUFFIX
from emulator.keeping import started_emulator

_CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"
_SERVICE = {name: os.environ.get(name) for name in (_CREDENTIALS, "TEST_BIGQUERY_PROJECT", "TEST_BIGQUERY_LOCATION")}
"""Read before a fixture takes what is the machine's out of the environment."""


@pytest.fixture(scope="session", params=["emulator", pytest.param("service", marks=pytest.mark.bigquery_service)])
def bigquery_endpoint(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings that reach a BigQuery, all but the dataset."""
    found: dict[str, Any] = request.getfixturevalue(f"bigquery_{request.param}")
    return found


@pytest.fixture(scope="session")
def bigquery_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The settings that reach the emulator of this test run."""
    try:
        with started_emulator(tmp_path_factory.mktemp("bigquery")) as endpoint:
            yield {
                "bigquery_project": endpoint.project,
                "bigquery_api_endpoint": endpoint.api,
                "bigquery_storage_endpoint": endpoint.storage,
            }
    except PipelineError as error:
        unavailable(str(error))


@pytest.fixture(scope="session")
def bigquery_service() -> Iterator[dict[str, Any]]:
    """The settings that reach the real service."""
    if _SERVICE["TEST_BIGQUERY_PROJECT"] is None:
        pytest.fail("TEST_BIGQUERY_PROJECT: found nothing, expected a project that may be billed for the tests")
    with pytest.MonkeyPatch.context() as patch:
        if (credentials := _SERVICE[_CREDENTIALS]) is not None:
            patch.setenv(_CREDENTIALS, str(Path(credentials).absolute()))
        yield {
            "bigquery_project": _SERVICE["TEST_BIGQUERY_PROJECT"],
            "bigquery_location": _SERVICE["TEST_BIGQUERY_LOCATION"],
        }


@pytest.fixture(scope="module")
def bigquery_settings(
    bigquery_endpoint: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings of a dataset of the module's own, which nobody has made yet and which is dropped afterwards."""
    with fresh_dataset(bigquery_endpoint, tmp_path_factory.mktemp("data")) as settings:
        yield settings


@contextmanager
def fresh_dataset(endpoint: dict[str, Any], data: Path) -> Iterator[Settings]:
    """Give settings of a dataset that nobody has made yet, and drop it after the block."""
    settings = Settings(backend="bigquery", data_dir=data, bigquery_dataset=f"test_{uuid.uuid4().hex}", **endpoint)
    yield settings
    with open_warehouse(settings) as warehouse:
        for suffix in (VIEWS_SUFFIX, ""):
            dataset = f"{warehouse.project}.{warehouse.dataset}{suffix}"
            warehouse.client.delete_dataset(dataset, delete_contents=True, not_found_ok=True)


def unavailable(reason: str) -> NoReturn:
    """End a test that needs an emulator where there is none: as a failure where that is to be noticed."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
