"""`migrate` on BigQuery: what was done comes on stdout, what waits is a failure, and errors name their object."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import Result

from audience_pipeline.settings import Settings, variable
from audience_pipeline.storage.bigquery.client import Warehouse, open_warehouse
from audience_pipeline_tests.cli.conftest import Command

pytestmark = pytest.mark.slow


@pytest.fixture
def migrate(
    command: Command, bigquery_settings: Settings, bigquery_endpoint: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Run `migrate` on the module's dataset, without grants to accounts that need not exist."""
    named = bigquery_endpoint | {"backend": "bigquery", "bigquery_dataset": bigquery_settings.bigquery_dataset}
    for name, value in named.items():
        monkeypatch.setenv(variable(name), value or "")
    return lambda *arguments: command("migrate", "--no-access", *arguments)


@pytest.fixture
def warehouse(bigquery_settings: Settings) -> Iterator[Warehouse]:
    with open_warehouse(bigquery_settings) as opened:
        yield opened


def states(result: Result) -> dict[str, str]:
    """Return what became of each object, by its name."""
    return {step["object"]: step["state"] for step in json.loads(result.stdout)}


def test_a_change_waits_until_it_is_asked_for(migrate: Command, warehouse: Warehouse) -> None:
    made = migrate("--format", "json")
    principals = f"table {warehouse.name('tenant_principals')}"
    assert (made.exit_code, states(made)[principals]) == (0, "made")
    warehouse.run("ALTER TABLE tenant_principals DROP COLUMN user_id", object="a test", operation="test")

    waiting = migrate("--format", "json")
    assert (waiting.exit_code, states(waiting)[principals]) == (1, "waiting")
    assert "To be changed: 1. Run again with --apply-changes." in waiting.stderr

    changed = migrate("--format", "json", "--apply-changes")
    assert (changed.exit_code, states(changed)[principals]) == (0, "changed")
    assert "waiting" not in states(migrate("--format", "json")).values()


def test_a_change_that_loses_rows_ends_with_1_and_names_table_found_and_expected(
    migrate: Command, warehouse: Warehouse
) -> None:
    migrate()
    warehouse.run("ALTER TABLE tenant_principals ADD COLUMN note STRING", object="a test", operation="test")
    refused = migrate("--apply-changes")
    assert refused.exit_code == 1
    table = warehouse.name("tenant_principals")
    expected = f"Error: table {table}: found column note STRING, expected column note no such column."
    assert refused.stderr.startswith(expected)


def test_an_endpoint_where_nobody_answers_ends_with_1(migrate: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable("bigquery_api_endpoint"), "http://127.0.0.1:9")
    monkeypatch.setenv(variable("bigquery_retry_seconds"), "1")
    unreachable = migrate()
    assert unreachable.exit_code == 1
    assert "BigQuery at http://127.0.0.1:9: found no answer" in unreachable.stderr
