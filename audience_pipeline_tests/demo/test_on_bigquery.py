"""The demo on BigQuery: a dataset of its own, and the same tables and answers as from files."""

import re
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from audience_pipeline import open_store
from audience_pipeline.demo.place import place_at
from audience_pipeline.demo.sizes import sizes
from audience_pipeline.errors import UsageError
from audience_pipeline.settings import Settings, variable
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.tables import AUDIENCES, PLATFORMS, SOURCES
from audience_pipeline_tests.bigquery import fresh_dataset
from audience_pipeline_tests.dagster.bigquery import Both, both, warehouse
from audience_pipeline_tests.demo.test_loop import demo, run
from audience_pipeline_tests.storage.builders import JUNE, MAY, audience, platform, put

__all__ = ["both", "warehouse"]

TIMES = (MAY, MAY + timedelta(hours=1), MAY + timedelta(days=1), JUNE)
TIMINGS = re.compile(r"(?<= in )\d+ ms")


def variables(settings: Settings) -> dict[str, str]:
    """Return the variables that send the pipeline to a dataset."""
    fields = ("backend", *(field for field in Settings.model_fields if field.startswith("bigquery_")))
    values = {variable(field): getattr(settings, field) for field in fields}
    return {name: str(value) for name, value in values.items() if value is not None}


@pytest.fixture
def environment(bigquery_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Put the variables that name a dataset into the environment."""
    values = variables(bigquery_settings)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


def test_a_demo_takes_the_backend_and_nothing_else_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = place_at(tmp_path / "files", seed=None, size=None)
    monkeypatch.setenv(variable("data_dir"), "/elsewhere")
    assert files.settings.backend == "parquet"
    assert files.settings.data_dir == tmp_path / "files/data"
    for field, value in {"backend": "bigquery", "bigquery_project": "acme-data", "bigquery_dataset": "demo"}.items():
        monkeypatch.setenv(variable(field), value)
    with pytest.raises(UsageError, match=r"seed 1, size 5000, in files.*in dataset acme-data\.demo"):
        place_at(tmp_path / "files", seed=None, size=None)


@pytest.mark.slow
def test_a_dataset_that_has_tables_is_left_alone(
    warehouse: Warehouse, environment: dict[str, str], tmp_path: Path
) -> None:
    assert environment[variable("bigquery_dataset")] == warehouse.dataset
    with pytest.raises(UsageError, match=rf"dataset {warehouse.project}\.{warehouse.dataset}: found tables, such as"):
        place_at(tmp_path, seed=None, size=None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_script_of_a_demo_on_bigquery_points_a_shell_there(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable("bigquery_dataset"), "not_there")
    place = place_at(tmp_path, seed=None, size=None)
    place.write_environment()
    expected = environment | {variable("bigquery_dataset"): "not_there", variable("data_dir"): str(tmp_path / "data")}
    assert {f"export {name}={value}" for name, value in expected.items()} <= set(
        place.environment.read_text(encoding="utf-8").splitlines()
    )


@pytest.mark.slow
def test_sizes_are_those_of_what_is_stored(both: Both) -> None:
    parts = {}
    for settings in both.each:
        with open_store(settings) as store:
            put(store, PLATFORMS, platform(1), platform(2, user_id="somebody"))
            put(store, AUDIENCES, *(audience(number, created_at=time) for number, time in enumerate(TIMES)))
            found = sizes(store, [PLATFORMS, AUDIENCES])
        assert [(size.rows, size.users) for size in found.tables] == [(2, 2), (4, 1)]
        parts[found.parts] = [size.parts for size in found.tables]
    assert parts == {"files": [2, 2], "partitions": [None, 3]}


@pytest.mark.prove
def test_a_demo_comes_to_the_same_on_both_backends_and_again(bigquery_endpoint: dict[str, Any], tmp_path: Path) -> None:
    said = demo(tmp_path, "--directory", "files", "--size", "100", "--seed", "7").stdout
    with fresh_dataset(bigquery_endpoint, tmp_path) as settings:
        same_world(tmp_path / "files", tmp_path / "bigquery", settings)
        first, again = (demo(tmp_path, "--directory", "bigquery", settings=variables(settings)) for _ in range(2))
        assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
        assert shown(first.stdout) == shown(said)
        assert ["Nothing changed" in each.stdout for each in (first, again)] == [False, True]
        assert digests(settings) == digests(place_at(tmp_path / "files", seed=None, size=None).settings)
        for command in commands(first.stdout):
            found = run("sh", "-c", f". ./bigquery/environment\n{command}", cwd=tmp_path)
            assert (found.returncode, found.stderr) == (0, ""), command
            assert found.stdout, command


def digests(settings: Settings) -> list[dict[int, str]]:
    with open_store(settings) as store:
        return [store.digests(table) for table in SOURCES]


def same_world(source: Path, target: Path, settings: Settings) -> None:
    """Make a directory whose demo shows the world of another, sealed under the same keys, in a dataset."""
    target.mkdir()
    shutil.copy(source / "keyset.json", target / "keyset.json")
    mark = msgspec.json.decode((source / "demo.json").read_bytes())
    mark["tables"] = f"dataset {settings.bigquery_project}.{settings.bigquery_dataset}"
    (target / "demo.json").write_bytes(msgspec.json.encode(mark))


def shown(said: str) -> list[str]:
    """Return what a demo said section by section, without timings and without what a backend has of its own."""
    sections = re.split(r"\n\n(?=\S)", TIMINGS.sub("", said))
    own = ("How large the tables are", "What to open next", "In another shell")
    return [section for section in sections if not section.strip().startswith(own)]


def commands(said: str) -> list[str]:
    """Return the commands a demo ends with that ask the tables."""
    ending = said.partition("What to open next")[2]
    found = re.findall(r"^  (audience-pipeline (?:query|quarantine|sql) .*)$", ending, re.MULTILINE)
    assert len(found) == 3
    return found
