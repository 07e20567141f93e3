"""Runs in this process: on record in their home, and told apart from failures."""

from pathlib import Path

import dagster as dg
import pytest

from audience_pipeline.definitions import build_defs
from audience_pipeline.errors import StorageError
from audience_pipeline.runs import runs_in
from audience_pipeline.settings import Settings

USER = b'{"user_id": "ada", "created_at": "2025-05-06T07:08:09Z"}\n'


def drop(settings: Settings, name: str, content: bytes) -> None:
    directory = settings.landing_dir / "users"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(content)


def test_runs_report_what_landed_and_what_was_stored_and_stay_on_record(settings: Settings, tmp_path: Path) -> None:
    drop(settings, "users.ndjson", USER)
    with runs_in(tmp_path / "home", build_defs(settings)) as runs:
        (landed,) = runs.land().materialized
        stored = runs.materialize((202505, 202506))
    assert (landed.asset, landed.partition, landed.metadata["records"]) == ("landed_users", None, 1)
    assert {event.metadata["inserted"] for event in stored.materialized if event.asset == "users"} == {1}
    assert [check for check in stored.checks if not check.passed] == []
    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
        assert [(run.job_name, run.is_success) for run in instance.get_runs()] == [
            ("__ASSET_JOB", True),
            ("landing", True),
        ]


def test_a_run_that_fails_says_why(settings: Settings, tmp_path: Path) -> None:
    drop(settings, "users.ndjson.gz", b"no gzip at all")
    with (
        runs_in(tmp_path / "home", build_defs(settings)) as runs,
        pytest.raises(StorageError, match=r"of landing: found 1 files could not be landed.*users\.ndjson\.gz"),
    ):
        runs.land()


def test_a_run_that_cannot_open_the_store_says_why(settings: Settings, tmp_path: Path) -> None:
    settings.data_dir.write_text("a file in the place of the data directory", encoding="utf-8")
    with (
        runs_in(tmp_path / "home", build_defs(settings)) as runs,
        pytest.raises(StorageError, match=r"of landing: found .*StorageError.*a file in the place of a directory"),
    ):
        runs.land()
