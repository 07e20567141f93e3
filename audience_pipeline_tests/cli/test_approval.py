"""`approve` and `reject`: each distribution's outcome on stdout, and an exit code that tells of refused ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTION_EVENTS, DISTRIBUTIONS, PLATFORMS, USERS
from audience_pipeline_tests.cli.conftest import Command
from audience_pipeline_tests.storage.builders import audience, distribution, platform, put, user, uuid


@pytest.fixture
def scheduled(data_dir: Path) -> Path:
    """A data directory with two scheduled distributions, and a user who may not decide."""
    with ParquetStore(data_dir) as store:
        put(store, USERS, user("ben", permissions=["read"]))
        put(store, AUDIENCES, audience())
        put(store, PLATFORMS, platform())
        put(store, DISTRIBUTIONS, distribution(1), distribution(2))
    return data_dir


def outcomes(stdout: str) -> list[tuple[str, str]]:
    rows: list[dict[str, Any]] = json.loads(stdout)
    return [(row["distribution_id"], row["outcome"]) for row in rows]


@pytest.mark.usefixtures("scheduled")
def test_decisions_are_answered_one_a_row(command: Command, data_dir: Path) -> None:
    approved = command("approve", uuid(1), "--by", "anna", "--standing", "--format", "json")
    assert (approved.exit_code, outcomes(approved.stdout)) == (0, [(uuid(1), "approved")])
    again = command("approve", uuid(1).upper(), "--by", "anna", "--standing", "--format", "json")
    assert (again.exit_code, outcomes(again.stdout)) == (0, [(uuid(1), "unchanged")])
    rejected = command("reject", uuid(2), uuid(9), "--by", "anna", "--reason", "too broad", "--format", "json")
    assert (rejected.exit_code, outcomes(rejected.stdout)) == (3, [(uuid(2), "rejected"), (uuid(9), "refused")])
    with ParquetStore(data_dir) as store:
        assert store.read(DISTRIBUTION_EVENTS).num_rows == 2


@pytest.mark.usefixtures("scheduled")
def test_a_user_without_the_permission_is_told_what_is_missing(command: Command) -> None:
    result = command("approve", uuid(1), "--by", "ben")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "user ben: found permissions: read, expected approve among them" in result.stderr


@pytest.mark.parametrize("arguments", [("approve",), ("approve", uuid(1)), ("reject", uuid(1), "--by", "anna")])
def test_a_decision_without_an_object_a_person_or_a_reason_is_wrong_usage(
    command: Command, arguments: tuple[str, ...]
) -> None:
    assert command(*arguments).exit_code == 2
