"""`archive` and `restore` on the command line: what became of rows on stdout, and exit codes that tell of damage."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audience_pipeline.settings import variable
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE
from audience_pipeline_tests.cli.conftest import Command
from audience_pipeline_tests.storage.builders import distribution_of, put, put_references, stored, uuid

JSON = ("--format", "json")
TOMORROW = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"


@pytest.fixture
def old(data_dir: Path) -> Path:
    """A data directory with three old distributions, one of them not ended, and one of today."""
    with ParquetStore(data_dir) as store:
        put_references(store, "ann", "bob")
        put(store, DISTRIBUTIONS, *(distribution_of("ann", number, status="failed") for number in (1, 2)))
        today = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=1)
        put(
            store,
            DISTRIBUTIONS,
            distribution_of("bob", 3),
            distribution_of("bob", 4, status="failed", created_at=today),
        )
    return data_dir


@pytest.fixture
def archived(old: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(variable("reader_grace_minutes"), "0")
    assert command("archive").exit_code == 0
    return old


def rows(stdout: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(stdout)
    return found


def keys(data_dir: Path) -> tuple[set[str], set[str]]:
    with ParquetStore(data_dir) as store:
        return set(stored(store, DISTRIBUTIONS)), set(stored(store, DISTRIBUTIONS_ARCHIVE))


def test_archive_says_what_it_copied_and_when_rows_leave(command: Command, old: Path) -> None:
    result = command("archive", *JSON)
    (month,) = rows(result.stdout)
    assert (month["month"], month["copied"], month["removed"], month["open"]) == ("2025-05", 2, 0, 1)
    assert "60 minutes after" in result.stderr
    assert keys(old) == ({uuid(n) for n in (1, 2, 3, 4)}, {uuid(1), uuid(2)})
    (again,) = rows(command("archive", *JSON).stdout)
    assert (again["copied"], again["waiting"]) == (0, 2)


def test_a_dry_run_moves_nothing_and_may_look_ahead(command: Command, old: Path) -> None:
    result = command("archive", "--dry-run", "--as-of", "2099-01-01", *JSON)
    assert sum(month["copied"] for month in rows(result.stdout)) == 3
    assert "Nothing was moved. A run would copy 3 rows; a run 60 minutes after" in result.stderr
    assert keys(old)[1] == set()
    assert command("archive", "--as-of", "2099-01-01").exit_code == 2


def test_a_damaged_archive_ends_with_1_and_names_the_file(command: Command, archived: Path) -> None:
    with ParquetStore(archived) as store:
        put(store, DISTRIBUTIONS, distribution_of("ann", 9, status="failed"))
    (path,) = (archived / "distributions_archive").rglob("*.parquet")
    path.write_bytes(b"no Parquet")
    result = command("archive")
    assert result.exit_code == 1
    assert path.name in result.stderr
    assert command("verify").exit_code == 1


def test_restore_brings_rows_back_and_refuses_others(command: Command, archived: Path) -> None:
    result = command("restore", uuid(1), uuid(4), "--until", TOMORROW, *JSON)
    assert result.exit_code == 3
    assert {row["distribution_id"]: row["outcome"] for row in rows(result.stdout)} == {
        uuid(1): "restored",
        uuid(4): "refused",
    }
    assert keys(archived)[0] == {uuid(1), uuid(3), uuid(4)}
    assert command("restore", "--month", "2025-05", "--user-id", "ann", "--until", TOMORROW).exit_code == 0
    assert keys(archived)[0] == {uuid(n) for n in (1, 2, 3, 4)}
    assert command("verify").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--until", TOMORROW),
        (uuid(1), "--month", "2025-05", "--until", TOMORROW),
        (uuid(1), "--user-id", "ann", "--until", TOMORROW),
        (uuid(1),),
        (uuid(1), "--until", "2020-01-01"),
        ("--month", "2025-13", "--until", TOMORROW),
        ("--month", "May", "--until", TOMORROW),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_wrong_usage(command: Command, archived: Path, arguments: tuple[str, ...]) -> None:
    assert command("restore", *arguments).exit_code == 2
    assert keys(archived)[0] == {uuid(3), uuid(4)}


def test_the_history_says_that_archived_rows_exist(command: Command, archived: Path) -> None:
    assert archived.exists()
    with ParquetStore(archived) as store:
        audience = next(iter(stored(store, DISTRIBUTIONS_ARCHIVE).values()))["audience_id"]
    question = ("query", "distribution-history", "--user-id", "ann", "--audience-id", audience)
    result = command(*question, *JSON)
    assert (rows(result.stdout), "archive" in result.stderr) == ([], True)
    assert len(rows(command(*question, "--include-archive", *JSON).stdout)) == 2
