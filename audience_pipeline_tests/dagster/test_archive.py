"""The asset `distributions_archive`: what a run moves, shows and leaves alone, and the alarms around it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from audience_pipeline import open_store
from audience_pipeline.definitions import build_defs
from audience_pipeline.settings import Settings
from audience_pipeline.tables import DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE
from audience_pipeline_tests.storage.builders import distribution_of, put, put_references, stored, uuid

NOW = datetime(2025, 8, 20, 2, 15, tzinfo=UTC)
OLD = datetime(2025, 5, 3)  # noqa: DTZ001 - stored times are UTC without a zone


@pytest.fixture
def old(settings: Settings) -> Settings:
    """Two distributions that ended long ago, and one that did not."""
    with open_store(settings) as store:
        put_references(store, "ann")
        rows = [distribution_of("ann", number, created_at=OLD, status="failed") for number in (1, 2)]
        put(store, DISTRIBUTIONS, *rows, distribution_of("ann", 3, created_at=OLD))
    return settings


def run(settings: Settings, now: datetime = NOW, **config: Any) -> dg.ExecuteInProcessResult:  # noqa: ANN401 - run config
    defs = build_defs(settings, resources={"clock": lambda: now})
    ops = {"distributions_archive": {"config": config}} if config else {}
    job = defs.resolve_job_def("archive")
    return job.execute_in_process(
        run_config={"ops": ops}, instance=dg.DagsterInstance.ephemeral(), raise_on_error=False
    )


def shown(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def check(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation


def keys(settings: Settings) -> tuple[set[str], set[str]]:
    with open_store(settings) as store:
        return set(stored(store, DISTRIBUTIONS)), set(stored(store, DISTRIBUTIONS_ARCHIVE))


def test_a_day_of_the_schedule_moves_what_is_old_and_shows_how_much(old: Settings) -> None:
    copied = shown(run(old))
    assert (copied["rows copied"], copied["rows removed"], copied["rows not ended"]) == (2, 0, 1)
    assert copied["bytes copied"] > 0
    later = run(old, NOW + timedelta(minutes=75))
    assert (shown(later)["rows removed"], shown(later)["bytes removed"]) == (2, copied["bytes copied"])
    assert keys(old) == ({uuid(3)}, {uuid(1), uuid(2)})
    assert check(later).passed


def test_a_dry_run_reports_no_materialization_and_moves_nothing(old: Settings) -> None:
    result = run(old, dry_run=True, as_of="2030-01-01")
    assert result.success
    assert result.get_asset_materialization_events() == []
    assert keys(old)[1] == set()


def test_a_moment_yet_to_come_needs_a_dry_run(old: Settings) -> None:
    assert not run(old, as_of="2030-01-01").success
    assert keys(old)[1] == set()


def test_a_damaged_archive_fails_the_run_and_the_rest_is_moved(old: Settings) -> None:
    run(old)
    with open_store(old) as store:
        put_references(store, "bob")
        put(store, DISTRIBUTIONS, distribution_of("ann", 8, created_at=OLD, status="failed"))
        put(store, DISTRIBUTIONS, distribution_of("bob", 9, created_at=OLD, status="failed"))
    (path,) = (Path(old.data_dir) / "distributions_archive").rglob("*.parquet")
    path.write_bytes(b"no Parquet")
    result = run(old)
    assert not result.success
    assert shown(result)["rows copied"] == 1


def test_the_check_fails_where_rows_should_have_left_a_day_ago(old: Settings) -> None:
    with open_store(old) as store:
        assert set(stored(store, DISTRIBUTIONS)) == {uuid(1), uuid(2), uuid(3)}
    first = NOW - timedelta(days=18, hours=3)
    for moment, overdue in ((first, 0), (NOW, 2)):
        defs = build_defs(old, resources={"clock": lambda moment=moment: moment})
        found = dg.materialize(
            [*defs.assets, *defs.asset_checks],  # type: ignore[misc]
            selection=dg.AssetSelection.checks(
                dg.AssetCheckKey(dg.AssetKey("distributions_archive"), "archived_in_time")
            ),
            resources=dict(defs.resources or {}),
            instance=dg.DagsterInstance.ephemeral(),
        )
        (evaluation,) = found.get_asset_check_evaluations()
        assert (evaluation.passed, evaluation.metadata["rows overdue"].value) == (not overdue, overdue)


def test_the_schedule_names_its_zone_and_ticks_again_after_the_grace(settings: Settings) -> None:
    schedule = build_defs(settings).resolve_schedule_def("archive_schedule")
    assert (schedule.cron_schedule, schedule.execution_timezone) == (["15 2 * * *", "30 3 * * *"], "UTC")
    hourless = build_defs(settings.model_copy(update={"reader_grace_minutes": 0}))
    assert hourless.resolve_schedule_def("archive_schedule").cron_schedule == ["15 2 * * *", "30 2 * * *"]


def test_a_silent_stop_is_seen_by_the_freshness_policy(settings: Settings) -> None:
    specs = {spec.key.to_user_string(): spec for spec in build_defs(settings).resolve_all_asset_specs()}
    policy = specs["distributions_archive"].freshness_policy
    assert policy is not None
    assert policy.fail_window.to_timedelta() < timedelta(days=2)  # type: ignore[attr-defined]
