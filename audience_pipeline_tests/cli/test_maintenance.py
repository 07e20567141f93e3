"""`migrate`, `verify`, `vacuum`, and what all commands share."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from audience_pipeline_tests.cli.conftest import Command
from audience_pipeline_tests.queries.world import ANA, spoil


def test_migrate_makes_a_catalog_that_duckdb_opens_and_can_be_repeated(command: Command, data_dir: Path) -> None:
    for _ in range(2):
        result = command("migrate")
        assert result.exit_code == 0
        assert result.stdout == f"{data_dir / 'catalog.duckdb'}\n"
    with duckdb.connect(data_dir / "catalog.duckdb", read_only=True) as connection:
        assert connection.sql("FROM audiences").fetchall() == []


@pytest.mark.usefixtures("stored")
def test_a_sound_store_verifies_with_no_findings(command: Command) -> None:
    result = command("verify", "--format", "json")
    assert json.loads(result.stdout) == []
    assert result.exit_code == 0


def test_a_damaged_file_fails_a_verification_and_is_named(command: Command, stored: Path) -> None:
    spoil(stored.glob(f"platforms/user_id={ANA}/*.parquet"))
    result = command("verify", "--format", "json")
    assert result.exit_code == 1
    assert "platforms.parquet" in json.dumps(json.loads(result.stdout))
    assert result.stderr.splitlines()[-1].endswith("to be mended.")


def test_a_waiting_file_with_plaintext_credentials_is_named_and_not_shown(command: Command, stored: Path) -> None:
    waiting = stored.with_name("landing") / "platforms" / "mine.ndjson"
    waiting.parent.mkdir(parents=True)
    waiting.write_text('{"platform_id": "1", "credentials": {"api_key": "canary-key"}}\n', encoding="utf-8")
    result = command("verify", "--format", "json")
    assert [finding["object"] for finding in json.loads(result.stdout)] == [str(waiting)]
    assert "canary-key" not in result.output
    assert result.exit_code == 1


def test_leftover_temporary_files_are_listed_removed_and_no_failure(command: Command, stored: Path) -> None:
    leftover = stored / "_state" / "staging" / "0.parquet"
    leftover.write_bytes(b"half")
    listed = command("verify", "--format", "json")
    assert listed.exit_code == 0
    assert str(leftover.name) in listed.stdout
    removed = command("vacuum")
    assert removed.exit_code == 0
    assert not leftover.exists()


def test_help_and_version_load_nothing_heavy() -> None:
    program = "import sys, audience_pipeline.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert {"dagster", "polars", "duckdb", "pyarrow", "pandas", "pydantic", "rich"}.isdisjoint(loaded)


def test_the_version_is_the_distributions(command: Command) -> None:
    result = command("--version")
    assert result.stdout.startswith("audience-pipeline 0.")
    assert result.exit_code == 0


def test_python_dash_m_is_the_same_command_line() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "audience_pipeline", "query", "nonsense"], check=False, capture_output=True, text=True
    )
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
