"""The documented tables as assets: the fold of what landed, whatever is asked for and however often."""

from pathlib import Path

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from audience_pipeline import open_store
from audience_pipeline.ingest.files import Landing
from audience_pipeline.ingest.folds import fold_unfolded
from audience_pipeline.settings import Settings
from audience_pipeline.storage.contract import Change
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, PLATFORMS, SOURCES, USERS, Table
from audience_pipeline_tests.dagster.runs import MONTHS, failure, fold, land, materialize, metadata
from audience_pipeline_tests.storage import builders
from audience_pipeline_tests.storage.builders import JULY, JUNE, MAY, NOW, one, put_references, stored, uuid


def files(settings: Settings) -> dict[Path, tuple[int, int]]:
    """Return every data file with what changes when it is written: its inode and its time."""
    paths = [path for path in settings.data_dir.rglob("*.parquet") if "_state" not in path.parts]
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def test_a_month_is_the_fold_of_its_landed_records(settings: Settings) -> None:
    land(settings, AUDIENCES, builders.audience(1, name="old"), builders.audience(2, created_at=JUNE, updated_at=JUNE))
    land(settings, AUDIENCES, builders.audience(1, name="new", updated_at=JULY))
    result = fold(settings, AUDIENCES, months="2025-05")
    with open_store(settings) as store:
        assert {key: row["name"] for key, row in stored(store).items()} == {uuid(1): "new"}
    reported = metadata(result, "audiences")
    assert reported["dagster/partition_row_count"] == 1
    assert (reported["inserted"], reported["refused"]) == (1, 0)


def test_materializing_twice_changes_nothing(settings: Settings) -> None:
    land(settings, AUDIENCES, builders.full_audience(1), builders.audience(2))
    first = metadata(fold(settings, AUDIENCES, months="2025-05"), "audiences")
    before = files(settings)
    second = metadata(fold(settings, AUDIENCES, months="2025-05"), "audiences")
    assert files(settings) == before
    assert second["content digest"] == first["content digest"]
    assert (second["inserted"], second["updated"], second["unchanged"]) == (0, 0, 2)


def test_a_range_of_months_is_one_run(settings: Settings) -> None:
    months = [MAY, JUNE, JULY]
    rows = [builders.audience(number, created_at=at, updated_at=at) for number, at in enumerate(months, 1)]
    assert land(settings, AUDIENCES, *rows) == {202505, 202506, 202507}
    result = fold(settings, AUDIENCES, months=("2025-04", "2025-06"))
    with open_store(settings) as store:
        assert set(stored(store)) == {uuid(1), uuid(2)}
    reported = metadata(result, "audiences")
    assert (reported["counted together"], reported["rows"]) == ("2025-04 to 2025-06", 2)
    assert len(result.asset_materializations_for_node("audiences")) == 3
    assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())


def test_a_file_is_folded_once_runs_have_folded_all_its_months(settings: Settings) -> None:
    months = [MAY, JUNE, JULY]
    land(settings, AUDIENCES, *(builders.audience(n, created_at=at, updated_at=at) for n, at in enumerate(months, 1)))
    land(settings, AUDIENCES, builders.audience(9))
    with open_store(settings) as store:
        fold(settings, AUDIENCES, months=("2025-06", "2025-07"))
        assert len(store.landing.unfolded(AUDIENCES)) == 2
        fold(settings, AUDIENCES, months="2025-05")
        assert store.landing.unfolded(AUDIENCES) == []


@pytest.mark.parametrize("first", ["dagster", "ingest"])
def test_what_dagster_and_ingest_both_fold_is_stored_once(settings: Settings, first: str) -> None:
    land(settings, AUDIENCES, builders.audience(1), builders.audience(2, created_at=JUNE, updated_at=JUNE))
    with open_store(settings) as store:
        landing = Landing(store, settings, lambda: NOW)
        if first == "ingest":
            assert [result.inserted for result in fold_unfolded(landing, AUDIENCES).values()] == [2]
        reported = metadata(fold(settings, AUDIENCES, months="2025-05"), "audiences")
        assert (reported["inserted"], reported["unchanged"]) == ((0, 1) if first == "ingest" else (1, 0))
        assert [result.unchanged for result in fold_unfolded(landing, AUDIENCES).values()] == (
            [] if first == "ingest" else [1]
        )
        assert set(stored(store)) == {uuid(1), uuid(2)}


def test_a_table_without_months_is_folded_as_a_whole_and_refusals_are_counted(settings: Settings) -> None:
    land(settings, PLATFORMS, builders.platform(1), builders.platform(2))
    with open_store(settings) as store:
        store.upsert(PLATFORMS, pa.Table.from_pylist([builders.platform(2, user_id="another")]))
        (entry,) = store.landing.unfolded(PLATFORMS)
        fold(settings, PLATFORMS)
        assert store.landing.unfolded(PLATFORMS) == []
        assert store.landing.open_file(PLATFORMS, entry.digest, "again").counts["refused_late"] == 1


def test_a_month_without_records_is_empty(settings: Settings) -> None:
    assert metadata(fold(settings, AUDIENCES, months="2025-05"), "audiences")["dagster/partition_row_count"] == 0


@pytest.mark.parametrize("table", SOURCES, ids=lambda table: table.name)
def test_every_table_is_stored_as_it_landed_and_passes_its_checks(settings: Settings, table: Table) -> None:
    rows = {USERS: builders.user(), AUDIENCES: builders.full_audience(), PLATFORMS: builders.platform()}
    with open_store(settings) as store:
        put_references(store, "reader")
    land(settings, table, rows.get(table) or builders.distribution_of("reader", 1))
    result = fold(settings, table, months="2025-05" if table.by_month else None)
    assert [each.check_name for each in result.get_asset_check_evaluations() if not each.passed] == []
    reported = metadata(result, table.name)
    assert reported["inserted"] == 1
    assert reported["dagster/table_name"] == table.name
    assert reported["dagster/uri"] == (settings.data_dir / table.name).as_uri()
    assert reported["dagster/size_bytes"]


def test_a_refused_row_leaves_the_others_stored_and_is_kept_with_its_reason(settings: Settings) -> None:
    with open_store(settings) as store:
        put_references(store, "reader")
    first = builders.distribution_of("reader", 1)
    land(settings, DISTRIBUTIONS, first)
    fold(settings, DISTRIBUTIONS, months="2025-05")
    with open_store(settings) as store:
        store.transition(DISTRIBUTIONS, [Change(uuid(1), {"status": "scheduled"}, {"status": "processing"})])
    land(settings, DISTRIBUTIONS, first | {"segments_distributed": ["s2"]}, builders.distribution_of("reader", 2))
    result = fold(settings, DISTRIBUTIONS, months="2025-05")
    with open_store(settings) as store:
        assert one(store, DISTRIBUTIONS)["segments_distributed"] == ["s1"]
        assert set(stored(store, DISTRIBUTIONS)) == {uuid(1), uuid(2)}
    (warning,) = [each for each in result.get_asset_check_evaluations() if not each.passed]
    refused = metadata(result, "distributions")["refused rows"]
    assert isinstance(refused, dg.TableMetadataValue)
    assert (warning.check_name, warning.severity) == ("refusals", dg.AssetCheckSeverity.WARN)
    (shown,) = refused.records
    assert (shown.data["key"], shown.data["code"]) == (uuid(1), "already_processing")


@pytest.mark.parametrize("kind", [pa.Table, pl.DataFrame, pd.DataFrame])
def test_stored_and_landed_tables_can_be_read_by_other_assets(settings: Settings, kind: type) -> None:
    land(settings, AUDIENCES, builders.full_audience(1), builders.audience(2, created_at=JUNE, updated_at=JUNE))
    fold(settings, AUDIENCES, months=("2025-05", "2025-06"))
    seen: list[object] = []
    columns = {"columns": ["audience_id", "name"]}

    @dg.asset(
        partitions_def=MONTHS,
        ins={"audiences": dg.AssetIn(metadata=columns), "landed_audiences": dg.AssetIn(metadata=columns)},
    )
    def reader(audiences: kind, landed_audiences: kind) -> None:  # type: ignore[valid-type]
        seen.extend([audiences, landed_audiences])

    sources = [dg.AssetSpec(name, partitions_def=MONTHS) for name in ("audiences", "landed_audiences")]
    materialize(settings, [*sources, reader], months="2025-05", selection=["reader"])
    for frame in seen:
        assert isinstance(frame, kind)
        table = frame if isinstance(frame, pa.Table) else pa.table(frame)
        assert table.select(["audience_id", "name"]).to_pylist() == [{"audience_id": uuid(1), "name": "audience 1"}]


@pytest.mark.parametrize("name", ["distribution_events", "audit_log", "landed_audiences"])
def test_a_table_the_engine_keeps_is_never_written_by_an_asset(settings: Settings, name: str) -> None:
    @dg.asset(name=name)
    def forged() -> pa.Table:
        return pa.table({"user_id": ["x"]})

    message = failure(materialize(settings, [forged], raise_on_error=False))
    assert message.startswith(f"asset {name}: found a frame for a table the engine keeps")


def test_a_frame_that_breaks_the_declaration_fails_the_run_and_says_why(settings: Settings) -> None:
    @dg.asset(name="users")
    def users() -> pl.DataFrame:
        return pl.DataFrame({"user_id": ["x"], "shoe_size": [42]})

    assert "found unknown columns shoe_size" in failure(materialize(settings, [users], raise_on_error=False))
