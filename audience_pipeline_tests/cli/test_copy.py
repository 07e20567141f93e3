"""`copy`: what was copied comes on stdout, progress on stderr; a dry run writes nothing, and errors name the remedy."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from audience_pipeline.settings import Settings, variable
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, AUDIT_LOG, STORED
from audience_pipeline_tests.cli.conftest import Command
from audience_pipeline_tests.queries.world import ANA, audience, day, put


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Another data directory, which nobody has made yet."""
    return tmp_path / "elsewhere"


def states(result: Result) -> set[str]:
    assert result.exit_code == 0, result.stderr
    return {row["state"] for row in json.loads(result.stdout)}


def digests(root: Path) -> list[dict[int, str]]:
    with ParquetStore(root) as store:
        return [store.digests(table) for table in STORED]


def test_a_store_is_copied_to_another_directory_with_its_catalog(
    command: Command, stored: Path, elsewhere: Path
) -> None:
    copied = command("copy", "--from", "parquet", "--to", f"parquet:{elsewhere}", "--format", "json")
    assert states(copied) == {"copied"}
    assert "audiences 2025-01: 1 rows (2 of 9)" in copied.stderr
    assert "Both stores hold the same." in copied.stderr
    assert digests(elsewhere) == digests(stored)
    assert (elsewhere / "catalog.duckdb").exists()


def test_a_second_run_finds_everything_there(command: Command, stored: Path, elsewhere: Path) -> None:
    arguments = ("copy", "--from", f"parquet:{stored}", "--to", f"parquet:{elsewhere}", "--format", "json")
    command(*arguments)
    assert states(command(*arguments)) == {"there"}


def test_the_audit_log_tells_each_tenant_of_a_copy_once_in_both_stores(
    command: Command, stored: Path, elsewhere: Path
) -> None:
    for _ in range(2):
        command("copy", "--from", "parquet", "--to", f"parquet:{elsewhere}")
    for root in (stored, elsewhere):
        with ParquetStore(root) as store:
            users = {home.user_id for table in STORED for home in store.homes(table)}
            found = [row for row in store.read(AUDIT_LOG).to_pylist() if row["action"] == "export"]
        assert sorted(row["user_id"] for row in found) == sorted(users)
        assert {row["object"] for row in found} == {f"copy to parquet:{elsewhere}"}


@pytest.mark.usefixtures("stored")
def test_a_dry_run_tells_what_would_be_copied_and_makes_nothing(command: Command, elsewhere: Path) -> None:
    arguments = ("copy", "--from", "parquet", "--to", f"parquet:{elsewhere}", "--dry-run", "--format", "json")
    assert states(command(*arguments)) == {"to copy"}
    assert not elsewhere.exists()
    elsewhere.mkdir()
    assert states(command(*arguments)) == {"to copy"}
    assert not list(elsewhere.rglob("*.parquet"))


@pytest.mark.usefixtures("stored")
def test_a_target_with_rows_of_its_own_is_refused(command: Command, elsewhere: Path) -> None:
    with ParquetStore(elsewhere) as store:
        put(store, AUDIENCES, audience(999, ANA, day(1)))
    refused = command("copy", "--from", "parquet", "--to", f"parquet:{elsewhere}")
    assert refused.exit_code == 1
    assert "Error: audiences 2025-01: found row" in refused.stderr
    assert "Copy into a store that is empty" in refused.stderr


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("files", "bigquery", "--from: found 'files', expected parquet"),
        ("parquet", "parquet:", "--to: found 'parquet:', expected parquet"),
        ("parquet", "parquet", "--to: found the store that is copied"),
        ("parquet:nowhere", "parquet", "nowhere: found no such directory"),
        ("parquet", "bigquery", "AUDIENCE_PIPELINE_BIGQUERY_PROJECT: found nothing"),
    ],
)
def test_a_store_that_cannot_be_meant_is_wrong_usage(
    command: Command, source: str, target: str, message: str, data_dir: Path
) -> None:
    refused = command("copy", "--from", source, "--to", target)
    assert (refused.exit_code, message in refused.stderr) == (2, True), refused.stderr
    assert not data_dir.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("stored")
def test_a_team_moves_to_bigquery(
    command: Command,
    bigquery_settings: Settings,
    bigquery_endpoint: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named = bigquery_endpoint | {"bigquery_dataset": bigquery_settings.bigquery_dataset}
    for name, value in named.items():
        monkeypatch.setenv(variable(name), value or "")
    copied = command("copy", "--from", "parquet", "--to", "bigquery")
    assert (copied.exit_code, "audience-pipeline migrate" in copied.stderr) == (1, True), copied.stderr
    monkeypatch.setenv(variable("backend"), "bigquery")
    assert command("migrate", "--no-access").exit_code == 0
    assert states(command("copy", "--from", "parquet", "--to", "bigquery", "--format", "json")) == {"copied"}
