"""The landing sensor: one run for what is new, whatever happens to the daemon."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from audience_pipeline.sensors import landing_sensor
from audience_pipeline.settings import Settings


def drop(settings: Settings, name: str, text: str = "{}\n") -> Path:
    """Put a file into the landing directory as a sender does: written aside, then renamed."""
    path = settings.landing_dir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".tmp")
    aside.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return aside.rename(path)


class Daemon:
    """The part of a daemon that matters: it stores the cursor of a tick after the run requests."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.settings = settings
        self.instance = instance
        self.cursor: str | None = None
        self.now = datetime(2026, 1, 31, tzinfo=UTC)

    def tick(self, *, killed: bool = False) -> list[str]:
        """Evaluate the sensor once and return the run keys; a daemon that is killed forgets the cursor."""
        resources = {"settings": self.settings, "clock": lambda: self.now}
        with dg.build_sensor_context(self.instance, cursor=self.cursor, resources=resources) as context:
            result = landing_sensor.evaluate_tick(context)
        if not killed:
            self.cursor = result.cursor
        return [str(request.run_key) for request in result.run_requests or []]


@pytest.fixture
def daemon(settings: Settings, instance: dg.DagsterInstance) -> Daemon:
    return Daemon(settings, instance)


def test_without_a_landing_directory_nothing_happens(daemon: Daemon) -> None:
    assert daemon.tick() == []


def test_new_files_of_all_tables_are_one_run(daemon: Daemon, settings: Settings) -> None:
    for name in ("users/a.ndjson", "audiences/b.ndjson.gz", "platforms/c.ndjson", "distributions/d.ndjson"):
        drop(settings, name)
    assert len(daemon.tick()) == 1
    assert daemon.tick() == []


@pytest.mark.parametrize(
    "name",
    ["users/a.ndjson.tmp", "users/.a.ndjson", "users/a.json", "users/.done/a.ndjson", "strangers/a.ndjson", "a.ndjson"],
)
def test_what_is_no_finished_file_of_a_table_is_left_alone(daemon: Daemon, settings: Settings, name: str) -> None:
    drop(settings, name)
    assert daemon.tick() == []


def test_only_what_is_new_asks_for_another_run(daemon: Daemon, settings: Settings) -> None:
    first = drop(settings, "users/a.ndjson")
    drop(settings, "users/refused.ndjson")
    keys = daemon.tick()
    first.unlink()
    assert daemon.tick() == []
    drop(settings, "users/b.ndjson")
    keys += daemon.tick()
    assert len(set(keys)) == 2


def test_a_restarted_daemon_asks_for_nothing_twice(daemon: Daemon, settings: Settings) -> None:
    drop(settings, "users/a.ndjson")
    (key,) = daemon.tick(killed=True)
    assert daemon.tick() == [key], "the same key: Dagster starts no second run for it"
    restarted = Daemon(settings, daemon.instance)
    restarted.cursor = daemon.cursor
    assert restarted.tick() == []


def test_a_name_used_again_is_a_new_file(daemon: Daemon, settings: Settings) -> None:
    path = drop(settings, "users/a.ndjson")
    keys = daemon.tick()
    path.unlink()
    daemon.tick()
    drop(settings, "users/a.ndjson")
    keys += daemon.tick()
    assert len(set(keys)) == 2


def test_a_file_replaced_while_it_waits_is_a_new_file(daemon: Daemon, settings: Settings) -> None:
    drop(settings, "users/a.ndjson", "{}\n")
    keys = daemon.tick()
    drop(settings, "users/a.ndjson", "[]\n")
    keys += daemon.tick()
    assert len(set(keys)) == 2


def test_a_file_that_stays_is_tried_again_after_ten_minutes_by_itself(daemon: Daemon, settings: Settings) -> None:
    drop(settings, "users/a.ndjson")
    keys = daemon.tick()
    daemon.now += timedelta(minutes=9)
    assert daemon.tick() == []
    daemon.now += timedelta(minutes=1)
    keys += daemon.tick()
    assert len(set(keys)) == 2
    assert daemon.tick() == []


def test_a_file_that_never_lands_is_tried_ever_more_rarely(daemon: Daemon, settings: Settings) -> None:
    drop(settings, "users/a.ndjson")
    keys: list[str] = []
    for _ in range(7 * 24 * 6):
        keys += daemon.tick()
        daemon.now += timedelta(minutes=10)
    assert len(keys) == len(set(keys))
    assert 10 < len(keys) < 16, "eight times on the first day, daily after that"


def test_it_runs_without_being_switched_on() -> None:
    assert landing_sensor.default_status is dg.DefaultSensorStatus.RUNNING
