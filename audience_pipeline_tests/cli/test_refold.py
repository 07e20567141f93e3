"""`refold`: a table comes back from what landed, whoever lost it."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import Result

from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, Table
from audience_pipeline_tests.cli.conftest import Command
from audience_pipeline_tests.ingest.builders import audience, distribution, platform, write

COUNTS = ("read", "inserted", "updated", "unchanged", "stale", "rejected")


@pytest.fixture
def landed(command: Command, data_dir: Path, tmp_path: Path) -> Path:
    """The data directory with three audiences of two months, one of them in two versions, and a distribution."""
    records = [audience(1), audience(2, created_at="2025-04-01T00:00:00Z"), audience(3, user_id="another")]
    newer = audience(1, name="newer", updated_at="2025-06-01T00:00:00Z")
    for number, (table, sent) in enumerate(
        [
            ("audiences", records),
            ("audiences", [newer]),
            ("platforms", [platform()]),
            ("distributions", [distribution()]),
        ]
    ):
        command("ingest", table, str(write(tmp_path / "sent" / f"{number}.ndjson", sent)))
    return data_dir


def digests(data_dir: Path, table: Table) -> dict[int, str]:
    with ParquetStore(data_dir) as store:
        assert [finding for finding in store.verify() if not finding.harmless] == []
        return store.digests(table)


def counts(result: Result) -> tuple[int, ...]:
    answered = json.loads(result.stdout)
    assert list(answered) == ["table", *COUNTS, "quarantine"]
    return tuple(answered[name] for name in COUNTS)


def test_a_table_that_is_whole_is_left_as_it_is(command: Command, landed: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (landed / "audiences").rglob("*.parquet")}
    result = command("refold", "audiences")
    assert (result.exit_code, counts(result)) == (0, (4, 0, 0, 3, 1, 0))
    assert {path: path.stat().st_mtime_ns for path in (landed / "audiences").rglob("*.parquet")} == before


@pytest.mark.parametrize("repaired", [False, True], ids=["state knows them", "state forgot them"])
def test_a_table_whose_directory_was_removed_comes_back(command: Command, landed: Path, *, repaired: bool) -> None:
    before = digests(landed, AUDIENCES)
    shutil.rmtree(landed / "audiences")
    if repaired:
        command("verify", "--repair")
    result = command("refold", "audiences")
    assert (result.exit_code, counts(result)[0]) == (0, 4)
    assert digests(landed, AUDIENCES) == before
    shown = command("query", "user-audiences", "--user-id", "user123", "--format", "json")
    assert {row["name"] for row in json.loads(shown.stdout)} == {"newer", "audience 2"}


def test_one_month_that_was_removed_comes_back(command: Command, landed: Path) -> None:
    before = digests(landed, AUDIENCES)
    (removed,) = (landed / "audiences").glob("user_id=user123/year=2025/month=04/*.parquet")
    removed.unlink()
    assert counts(command("refold", "audiences"))[1] == 1
    assert digests(landed, AUDIENCES) == before


def test_all_tables_come_back_after_all_but_the_landed_records_were_lost(command: Command, landed: Path) -> None:
    before = digests(landed, AUDIENCES), digests(landed, DISTRIBUTIONS)
    for name in ("audiences", "platforms", "distributions", "_state"):
        shutil.rmtree(landed / name)
    for name in ("audiences", "platforms", "distributions"):
        assert command("refold", name).exit_code == 0
    assert (digests(landed, AUDIENCES), digests(landed, DISTRIBUTIONS)) == before


def test_a_table_in_which_nothing_landed_is_no_error(command: Command) -> None:
    assert counts(command("refold", "users")) == (0, 0, 0, 0, 0, 0)


def test_an_unknown_table_is_wrong_usage(command: Command) -> None:
    result = command("refold", "audience")
    assert result.exit_code == 2
    assert "users, audiences, platforms, distributions" in result.stderr
