"""`ingest`, `quarantine` and `credentials`: one JSON line, exit codes, and pipes."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from audience_pipeline.cli import app
from audience_pipeline.settings import variable
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES
from audience_pipeline_tests.cli.conftest import Command
from audience_pipeline_tests.ingest.builders import Record, audience, line, platform, uuid, write

COUNTS = ("read", "inserted", "updated", "unchanged", "stale", "rejected")
SECRET = "hunter2-hunter2"  # noqa: S105 - what must not be found


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    return tmp_path / "sent"


def answer(result: Result) -> dict[str, object]:
    """Return the one JSON line on stdout."""
    (only,) = result.stdout.splitlines()
    answered: dict[str, object] = json.loads(only)
    return answered


def counts(result: Result) -> tuple[object, ...]:
    return tuple(answer(result)[name] for name in COUNTS)


def piped(content: bytes, *arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), input=content, catch_exceptions=False)


def test_ingest_prints_one_json_line(command: Command, sent: Path) -> None:
    result = command("ingest", "audiences", str(write(sent / "a.ndjson", [audience(1), audience(2)])))
    assert result.exit_code == 0
    assert list(answer(result)) == ["table", *COUNTS, "quarantine"]
    assert answer(result)["table"] == "audiences"
    assert answer(result)["quarantine"] is None
    assert counts(result) == (2, 2, 0, 0, 0, 0)


def test_refused_records_end_with_3_and_the_place_of_the_quarantine(command: Command, sent: Path) -> None:
    result = command("ingest", "audiences", str(write(sent / "a.ndjson", [audience(1), b"broken"])))
    assert result.exit_code == 3
    assert counts(result) == (2, 1, 0, 0, 0, 1)
    assert Path(str(answer(result)["quarantine"])).is_file()


def test_a_file_that_cannot_be_read_ends_with_1_after_the_others(command: Command, sent: Path) -> None:
    good = write(sent / "good.ndjson", [audience(1), b"broken"])
    result = command("ingest", "audiences", str(sent / "none.ndjson"), str(good))
    assert result.exit_code == 1
    assert counts(result) == (2, 1, 0, 0, 0, 1)
    assert f"{sent / 'none.ndjson'}: found nothing there" in result.stderr


def test_an_unknown_table_is_wrong_usage(command: Command) -> None:
    result = command("ingest", "audience", "a.ndjson")
    assert result.exit_code == 2
    assert "users, audiences, platforms, distributions" in result.stderr


@pytest.mark.usefixtures("command")
def test_stdin_is_ingested_like_a_file() -> None:
    content = line(audience(1)) + b"\n" + line(audience(2))
    assert counts(piped(content, "ingest", "audiences", "-")) == (2, 2, 0, 0, 0, 0)
    assert counts(piped(content, "ingest", "audiences", "-")) == (2, 0, 0, 2, 0, 0)


def test_sealed_output_is_what_ingest_takes_and_no_secret_is_in_it(command: Command, sent: Path) -> None:
    plain = platform(credentials={"api_key": SECRET, "account_id": "acct"})
    sealed = piped(line(plain) + b"\n" + line({**plain, "user_id": None}) + b"\n", "credentials", "seal")
    assert sealed.exit_code == 3
    assert SECRET not in sealed.output
    assert "line 2, credentials: found no user_id" in sealed.stderr
    path = write(sent / "p.ndjson", sealed.stdout_bytes.splitlines())
    assert counts(command("ingest", "platforms", str(path))) == (1, 1, 0, 0, 0, 0)


def test_a_file_with_plaintext_credentials_ends_with_1(command: Command, sent: Path) -> None:
    path = write(sent / "p.ndjson", [platform(credentials={"api_key": SECRET})])
    result = command("ingest", "platforms", str(path))
    assert result.exit_code == 1
    assert str(path) in result.stderr
    assert SECRET not in result.output


@pytest.mark.slow
def test_one_key_landing_at_once_in_two_months_from_two_processes_is_stored_once(
    command: Command, data_dir: Path, sent: Path
) -> None:
    months = ("2025-04", "2025-05")
    for round_ in range(3):
        records: list[list[Record]] = [
            [audience(100 * round_ + n, created_at=f"{month}-01T00:00:00Z") for n in range(50)] for month in months
        ]
        started = [
            subprocess.Popen(
                [sys.executable, "-m", "audience_pipeline", "ingest", "audiences", str(write(sent / f"{month}", each))],
                stdout=subprocess.PIPE,
                env={**os.environ, variable("data_dir"): str(data_dir)},
            )
            for month, each in zip(months, records, strict=True)
        ]
        answers = [json.loads(process.communicate()[0]) for process in started]
        assert [sum(each[name] for each in answers) for name in COUNTS] == [100, 50, 0, 0, 0, 50]
    with ParquetStore(data_dir) as store:
        keys = store.read(AUDIENCES).column("audience_id").to_pylist()
        assert sorted(keys) == sorted({uuid(100 * round_ + n) for round_ in range(3) for n in range(50)})
        assert [finding for finding in store.verify() if not finding.harmless] == []
    assert command("query", "audience-detail", "--audience-id", uuid(1)).exit_code == 0


@pytest.mark.slow
@pytest.mark.usefixtures("command")
def test_a_write_that_fails_half_way_is_named_and_finished_by_the_next(data_dir: Path, sent: Path) -> None:
    path = write(sent / "a.ndjson", [audience(n, description=os.urandom(400).hex()) for n in range(3_000)])
    arguments = [sys.executable, "-m", "audience_pipeline", "ingest", "audiences", str(path)]

    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))

    failed = subprocess.run(arguments, preexec_fn=no_large_files, capture_output=True, check=False)
    assert failed.returncode == 1, failed.stderr
    assert b"Error: " in failed.stderr
    assert b"Traceback" not in failed.stderr
    finished = subprocess.run(arguments, capture_output=True, check=True)
    assert json.loads(finished.stdout)["inserted"] == 3_000
    with ParquetStore(data_dir) as store:
        assert [finding for finding in store.verify() if not finding.harmless] == []
