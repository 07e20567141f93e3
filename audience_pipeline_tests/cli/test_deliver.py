"""`deliver`, `retry`, `withdraw` and `refresh`: what became of each on stdout, and exit codes that tell of failures."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audience_pipeline.settings import variable
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import DISTRIBUTIONS, PLATFORMS, USERS
from audience_pipeline_tests.cli.conftest import Command
from audience_pipeline_tests.delivery.world import asked, fill, keep_keyset, reachable, status
from audience_pipeline_tests.sandbox_process import Sandbox
from audience_pipeline_tests.storage.builders import JUNE, put, user, uuid
from audience_pipeline_tests.storage.builders import json as text

JSON = ("--format", "json")


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "sandbox.sqlite") as running:
        monkeypatch.setenv(variable("sandbox_url"), running.url)
        monkeypatch.setenv(variable("poll_seconds"), "0.001")
        yield running


@pytest.fixture
def filled(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with two distributions that wait for their approval."""
    monkeypatch.setenv(variable("keyset"), str(tmp_path / "keys" / "keyset.json"))
    keep_keyset(tmp_path / "keys" / "keyset.json")
    with ParquetStore(data_dir) as store:
        put(store, USERS, user())
        fill(store, 1, 2)
    return data_dir


def rows(stdout: str) -> dict[str, dict[str, Any]]:
    return {row["distribution_id"]: row for row in json.loads(stdout)}


def test_a_dry_run_says_what_would_be_sent_and_what_is_held_and_changes_nothing(
    command: Command, filled: Path, sandbox: Sandbox
) -> None:
    command("approve", uuid(1), "--by", "anna")
    with ParquetStore(filled) as store:
        before = store.digests(DISTRIBUTIONS)
    result = command("deliver", "--dry-run", "--as-of", "2031-01-01", *JSON)
    assert result.exit_code == 3
    planned = rows(result.stdout)
    assert planned[uuid(1)]["outcome"] == "failed"
    assert planned[uuid(1)]["why"].startswith("approval_expired")
    planned = rows(command("deliver", "--dry-run", *JSON).stdout)
    first, second = planned[uuid(1)], planned[uuid(2)]
    assert (first["outcome"], first["segments"], first["members"], first["account"]) == ("sent", 2, 1000, "seat-1")
    assert (first["audience"], first["platform"]) == ("audience 1", "platform 1 (the_trade_desk)")
    assert (second["outcome"], second["why"].split(":")[0]) == ("held", "approval_pending")
    assert sandbox.audiences() == []
    with ParquetStore(filled) as store:
        assert store.digests(DISTRIBUTIONS) == before


@pytest.mark.usefixtures("filled")
def test_what_is_due_is_sent_followed_and_taken_back(command: Command, sandbox: Sandbox) -> None:
    command("approve", uuid(1), "--by", "anna")
    sent = command("deliver", *JSON)
    assert sent.exit_code == 0
    assert {key: row["outcome"] for key, row in rows(sent.stdout).items()} == {uuid(1): "processing", uuid(2): "held"}
    assert rows(command("deliver", *JSON).stdout)[uuid(1)] == {
        "distribution_id": uuid(1),
        "outcome": "completed",
        "note": "delivered",
    }
    taken_back = command("withdraw", uuid(1), uuid(2), "--by", "anna", "--reason", "the wrong one", *JSON)
    assert taken_back.exit_code == 3
    assert [row["outcome"] for row in rows(taken_back.stdout).values()] == ["withdrawn", "refused"]
    assert sandbox.audiences() == []
    assert command("deliver").exit_code == 0


@pytest.mark.usefixtures("sandbox")
def test_what_failed_is_retried_by_somebody(command: Command, filled: Path) -> None:
    command("reject", uuid(1), "--by", "anna", "--reason", "too broad")
    retried = command("retry", uuid(1), uuid(2), "--by", "ben", *JSON)
    assert retried.exit_code == 3
    assert rows(retried.stdout)[uuid(1)]["note"] == "it waits for an approval"
    assert rows(retried.stdout)[uuid(2)]["note"] == "it is scheduled; only what failed can be retried"
    with ParquetStore(filled) as store:
        assert status(store) == "scheduled"


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("name", ["deliver", "refresh"])
def test_a_time_to_come_needs_a_dry_run(command: Command, name: str) -> None:
    result = command(name, "--as-of", "2031-01-01")
    assert result.exit_code == 2
    assert "which is yet to come, expected a moment that has passed. Add --dry-run" in result.stderr


@pytest.mark.usefixtures("filled")
def test_a_type_without_a_connector_fails_with_what_to_do(command: Command) -> None:
    command("approve", uuid(1), "--by", "anna")
    result = command("deliver", *JSON)
    assert result.exit_code == 3
    assert "AUDIENCE_PIPELINE_SANDBOX_URL" in rows(result.stdout)[uuid(1)]["note"]


def test_a_refresh_that_is_due_is_asked_for_once(command: Command, filled: Path) -> None:
    with ParquetStore(filled) as store:
        put(store, PLATFORMS, reachable(2, settings=text({"auto_refresh": True, "refresh_frequency": "daily"})))
        done = {"status": "completed", "executed_at": JUNE, "platform_id": uuid(2), "metadata": None}
        put(store, DISTRIBUTIONS, asked(7, **done))
    planned = rows(command("refresh", "--dry-run", *JSON).stdout)
    (made,) = rows(command("refresh", *JSON).stdout).values()
    assert planned == {made["distribution_id"]: made}
    assert (made["outcome"], made["last"], made["platform_id"]) == ("due", uuid(7), uuid(2))
    assert command("refresh", *JSON).stdout == "[]\n"
    assert command("refresh").stdout == "No rows.\n"
