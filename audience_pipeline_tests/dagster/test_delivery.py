"""Deliveries that Dagster asks for: due distributions become few runs, and what runs did is on record."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from audience_pipeline import open_store
from audience_pipeline.definitions import build_defs
from audience_pipeline.sensors import due_sensor, follow_sensor
from audience_pipeline.settings import Settings
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.tables import DISTRIBUTIONS, PLATFORMS, USERS
from audience_pipeline_tests.delivery.world import (
    Clock,
    approve,
    asked,
    details,
    fill,
    history,
    keep_keyset,
    reachable,
    results,
    status,
)
from audience_pipeline_tests.sandbox_process import Sandbox
from audience_pipeline_tests.storage.builders import JUNE, json, put, user, uuid


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "sandbox.sqlite") as running:
        yield running


class World:
    """A code location over a store of its own, with a clock that stands still."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.settings, self.instance, self.clock = settings, instance, Clock()
        self.defs = build_defs(settings, resources={"clock": self.clock})

    @contextmanager
    def store(self) -> Iterator[TableStore]:
        with open_store(self.settings) as store:
            yield store

    def tick(self, sensor: dg.SensorDefinition) -> list[dg.RunRequest]:
        with self.store() as store:
            resources = {"settings": self.settings, "clock": self.clock, "store": store}
            with dg.build_sensor_context(self.instance, resources=resources) as context:
                return list(sensor.evaluate_tick(context).run_requests or [])

    def run(self, job: str, config: Any = None) -> dg.ExecuteInProcessResult:  # noqa: ANN401 - a run's config
        found = self.defs.resolve_job_def(job)
        return found.execute_in_process(config, instance=self.instance, raise_on_error=False)

    def answer(self, sensor: dg.SensorDefinition) -> list[dg.ExecuteInProcessResult]:
        """Run what a sensor requests."""
        return [self.run(str(sensor.job_name), request.run_config) for request in self.tick(sensor)]


@pytest.fixture
def world(settings: Settings, instance: dg.DagsterInstance, sandbox: Sandbox) -> World:
    made = World(settings.model_copy(update={"sandbox_url": sandbox.url}), instance)
    keep_keyset(made.settings.keyset)
    with made.store() as store:
        fill(store, 1, 2, 3)
        approve(store, 1, 2)
    return made


def ids(request: dg.RunRequest) -> list[str]:
    return list(request.run_config["ops"]["deliver_distributions"]["config"]["distribution_ids"])


def at(request: dg.RunRequest) -> list[str]:
    return list(request.run_config["ops"]["deliver_distributions"]["config"]["platform_ids"])


def touched(result: dg.ExecuteInProcessResult) -> list[str | None]:
    events = result.asset_materializations_for_node(result.job_def.nodes[0].name)
    return [event.partition for event in events]


def test_what_is_due_becomes_one_run_and_what_it_did_is_on_record(
    world: World, sandbox: Sandbox, subtests: pytest.Subtests
) -> None:
    with subtests.test("all that is due is one request, once for each look"):
        (request,) = world.tick(due_sensor)
        assert request.run_config["ops"]["deliver_distributions"]["config"] == {
            "distribution_ids": [uuid(1), uuid(2), uuid(3)],
            "platform_ids": [uuid(1)],
        }
        assert [again.run_key for again in world.tick(due_sensor)] == [request.run_key]
    with subtests.test("the run sends what is approved, holds the rest, and names the month it touched"):
        (sent,) = world.answer(due_sensor)
        assert sent.success
        assert touched(sent) == ["2025-05"]
        with world.store() as store:
            assert [status(store, number) for number in (1, 2, 3)] == ["processing", "processing", "scheduled"]
            assert details(store, 3)["hold"] == "approval_pending"
        assert len(sandbox.audiences()) == 2
    with subtests.test("then nothing is due for a while"):
        assert world.tick(due_sensor) == []
        assert world.tick(follow_sensor) == []
    with subtests.test("later runs ask after it, and close it"):
        world.clock.forward(minutes=1)
        world.answer(follow_sensor)
        with world.store() as store:
            assert [status(store, number) for number in (1, 2)] == ["completed", "completed"]
        world.clock.forward(hours=1)
        world.answer(follow_sensor)
        assert world.tick(follow_sensor) == []
        with world.store() as store:
            assert "look_again_at" not in details(store, 1)


def test_a_platform_is_in_one_run_at_a_time(world: World) -> None:
    (first,) = world.tick(due_sensor)
    job = world.defs.resolve_job_def("deliver")
    running = world.instance.create_run_for_job(job, run_config=first.run_config, status=dg.DagsterRunStatus.STARTED)
    with world.store() as store:
        put(store, PLATFORMS, reachable(2))
        put(store, DISTRIBUTIONS, asked(4), asked(5, platform_id=uuid(2)))
    (request,) = world.tick(due_sensor)
    assert ids(request) == [uuid(5)]
    world.instance.report_run_failed(running)
    world.clock.forward(seconds=world.settings.lease_seconds)
    (again,) = world.tick(due_sensor)
    assert len(ids(again)) == 5
    assert again.run_key != first.run_key


def test_ten_thousand_due_are_few_runs_that_share_no_platform(world: World) -> None:
    with world.store() as store:
        put(store, DISTRIBUTIONS, *(asked(100 + n, platform_id=uuid(n % 10)) for n in range(10_000)))
    requests = world.tick(due_sensor)
    named = [key for request in requests for key in ids(request)]
    platforms = [platform for request in requests for platform in at(request)]
    assert len(requests) == 5
    assert len(set(named)) == len(named) > 9000
    assert len(set(platforms)) == len(platforms)


def test_people_withdraw_and_retry_by_jobs(world: World, sandbox: Sandbox, subtests: pytest.Subtests) -> None:
    world.answer(due_sensor)
    world.clock.forward(minutes=1)
    world.answer(follow_sensor)
    config: dict[str, Any] = {"distribution_ids": [uuid(1), uuid(3)], "by": "anna", "reason": "the wrong one"}
    with subtests.test("what completed is taken out of use, and a run fails for the rest"):
        result = world.run("withdraw", {"ops": {"withdraw_distributions": {"config": config}}})
        assert not result.success
        assert len(sandbox.audiences()) == 1
        with world.store() as store:
            assert (status(store, 1), results(store, 1)["outcome"]) == ("completed", "withdrawn")
            assert history(store, 1)[-1] == ("completed", "completed", "withdrawn")
    with subtests.test("what was rejected is scheduled again"):
        reject = {**config, "distribution_ids": [uuid(3)]}
        world.run("reject", {"ops": {"reject_distributions": {"config": reject}}})
        retry = {"distribution_ids": [uuid(3)], "by": "ben"}
        assert world.run("retry", {"ops": {"retry_distributions": {"config": retry}}}).success
        with world.store() as store:
            assert status(store, 3) == "scheduled"
            assert history(store, 3)[-2:] == [
                ("scheduled", "failed", "approval_rejected"),
                ("failed", "scheduled", "retry"),
            ]


def test_refreshes_are_asked_for_by_the_schedules_job_and_named_by_month(world: World) -> None:
    with world.store() as store:
        put(store, USERS, user())
        put(store, PLATFORMS, reachable(2, settings=json({"auto_refresh": True, "refresh_frequency": "monthly"})))
        done = {"status": "completed", "executed_at": JUNE, "platform_id": uuid(2), "metadata": None}
        put(store, DISTRIBUTIONS, asked(7, **done))
    first, again = world.run("refresh"), world.run("refresh")
    assert (first.success, again.success) == (True, True)
    events = first.asset_materializations_for_node("ask_for_refreshes")
    assert [(event.asset_key.to_user_string(), event.partition) for event in events] == [
        ("landed_distributions", "2025-07"),
        ("distributions", "2025-07"),
    ]
    assert again.asset_materializations_for_node("ask_for_refreshes") == []
    with world.store() as store:
        rows = store.read(DISTRIBUTIONS).to_pylist()
        assert [row["platform_id"] for row in rows if row["distribution_type"] == "refresh"] == [uuid(2)]
