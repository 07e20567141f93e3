"""The landing job on real files: what it reports, what it refuses, and what a crash leaves to be done."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from audience_pipeline import open_store
from audience_pipeline.definitions import build_defs
from audience_pipeline.settings import Settings
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS
from audience_pipeline_tests.dagster.runs import failure, fold
from audience_pipeline_tests.storage.builders import uuid

Record = dict[str, Any]


def audience(number: int, month: str = "2025-05", **changes: Any) -> Record:  # noqa: ANN401 - any member's value
    at = f"{month}-03T10:20:30.456Z"
    names = {"audience_id": uuid(number), "user_id": "user123", "name": f"audience {number}"}
    return {**names, "created_at": at, "updated_at": at, "status": "draft", "data_type": "first_party", **changes}


def distribution(number: int, **changes: Any) -> Record:  # noqa: ANN401 - any member's value
    keys = {"distribution_id": uuid(number), "audience_id": uuid(1), "platform_id": uuid(1)}
    return {**keys, "user_id": "user123", "created_at": "2025-05-04T00:00:00Z", "status": "scheduled", **changes}


def platform() -> Record:
    at = "2025-05-01T00:00:00Z"
    names = {"platform_id": uuid(1), "user_id": "user123", "platform_type": "facebook", "name": "F"}
    return {**names, "created_at": at, "updated_at": at, "status": "active"}


def drop(settings: Settings, name: str, records: Iterable[Record | str]) -> Path:
    path = settings.landing_dir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


class Lands:
    """Runs the landing job, and remembers its last run."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.settings = settings
        self.instance = instance

    def __call__(self, **resources: object) -> dg.ExecuteInProcessResult:
        job = build_defs(self.settings, resources=resources).resolve_job_def("landing")
        return job.execute_in_process(instance=self.instance, raise_on_error=False)

    def reported(self) -> dict[tuple[str, str | None], Mapping[str, object]]:
        """Return the plain metadata of what the last run has in the event log, by asset and month."""
        (run,) = self.instance.get_runs(limit=1)
        logs = self.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        found = [event for log in logs if (event := log.asset_materialization)]
        return {
            (event.asset_key.to_user_string(), event.partition): {name: it.value for name, it in event.metadata.items()}
            for event in found
        }


@pytest.fixture
def land(settings: Settings, instance: dg.DagsterInstance) -> Lands:
    return Lands(settings, instance)


def test_each_month_a_file_touches_is_reported_with_its_records(settings: Settings, land: Lands) -> None:
    drop(settings, "audiences/a.ndjson", [audience(1), audience(2), audience(3, "2025-07"), "{"])
    drop(settings, "platforms/p.ndjson", [platform()])
    result = land()
    assert result.success
    file = {"file": "audiences/a.ndjson", "rejected in file": 1}
    assert land.reported() == {
        ("landed_audiences", "2025-05"): {"records": 2, **file},
        ("landed_audiences", "2025-07"): {"records": 1, **file},
        ("landed_platforms", None): {"records": 1, "file": "platforms/p.ndjson", "rejected in file": 0},
    }


def test_landed_files_are_not_landed_again(settings: Settings, land: Lands) -> None:
    drop(settings, "audiences/a.ndjson", [audience(1)])
    land()
    again = land()
    assert again.success
    assert land.reported() == {}
    assert not list((settings.landing_dir / "audiences").iterdir())


def test_nothing_waiting_is_a_success(land: Lands) -> None:
    assert land().success


def test_a_file_that_cannot_be_read_fails_the_run_after_the_others_landed(settings: Settings, land: Lands) -> None:
    (settings.landing_dir / "audiences" / "a.ndjson").mkdir(parents=True)
    drop(settings, "audiences/b.ndjson", [audience(1)])
    result = land()
    assert not result.success
    assert set(land.reported()) == {("landed_audiences", "2025-05")}
    assert failure(result).startswith("1 files could not be landed; the others were. ")
    assert "a.ndjson: found a directory" in failure(result)


def test_months_reported_by_a_landing_that_was_killed_are_reported_again(settings: Settings, land: Lands) -> None:
    drop(settings, "audiences/a.ndjson", [audience(1)])

    class Killed(BaseException):
        """What kills the run right after the records landed."""

    class Dying:
        """A store whose process dies when the report begins."""

        def __init__(self) -> None:
            self.store = open_store(settings)

        @property
        def landing(self) -> "Dying":
            return self

        def rows(self, _: object) -> None:
            raise Killed

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of the store or its landing log
            return getattr(self.store.landing if hasattr(self.store.landing, name) else self.store, name)

    assert not land(store=Dying()).success
    assert land.reported() == {}
    result = land()
    assert result.success
    assert set(land.reported()) == {("landed_audiences", "2025-05")}


def test_records_that_waited_for_a_reference_are_reported_when_it_landed(settings: Settings, land: Lands) -> None:
    drop(settings, "distributions/d.ndjson", [distribution(1)])
    land()
    assert land.reported() == {}
    drop(settings, "audiences/a.ndjson", [audience(1)])
    drop(settings, "platforms/p.ndjson", [platform()])
    land()
    assert ("landed_distributions", "2025-05") in land.reported()
    result = fold(settings, DISTRIBUTIONS, months="2025-05")
    assert [each.check_name for each in result.get_asset_check_evaluations() if not each.passed] == []


def test_what_landed_is_what_the_table_is_made_of(settings: Settings, land: Lands) -> None:
    drop(settings, "audiences/a.ndjson", [audience(1, name="old"), audience(2)])
    drop(settings, "audiences/b.ndjson", [audience(1, name="new", updated_at="2025-06-01T00:00:00+02:00")])
    land()
    fold(settings, AUDIENCES, months="2025-05")
    with open_store(settings) as store:
        assert sorted(row["name"] for row in store.read(AUDIENCES).to_pylist()) == ["audience 2", "new"]
