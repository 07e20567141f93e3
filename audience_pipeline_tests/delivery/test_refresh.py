"""Refreshes: one a period for what is on a platform, whatever the calendar and the downtime."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audience_pipeline.delivery.periods import Frequency, period_of
from audience_pipeline.delivery.refresh import due_refreshes, refresh
from audience_pipeline.settings import Settings
from audience_pipeline.storage.contract import Change, TableStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, PLATFORMS, USERS
from audience_pipeline_tests.delivery.world import Clock, active, asked, reachable
from audience_pipeline_tests.storage.builders import json, put, user, uuid

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
FREQUENCIES = st.sampled_from(["daily", "weekly", "monthly"])


@given(MOMENTS, FREQUENCIES)
def test_a_moment_lies_in_its_period_and_the_period_before_ends_where_it_starts(
    moment: datetime, frequency: Frequency
) -> None:
    period = period_of(moment, frequency)
    assert period.start <= moment
    assert period_of(period.start, frequency) == period
    before = period_of(period.start - timedelta(microseconds=1), frequency)
    assert before.start < period.start
    assert before.name != period.name


@given(MOMENTS, MOMENTS, FREQUENCIES)
def test_two_moments_have_one_period_just_where_it_starts_at_one_moment(
    one: datetime, other: datetime, frequency: Frequency
) -> None:
    first, second = period_of(one, frequency), period_of(other, frequency)
    assert (first.name == second.name) == (first.start == second.start)


def refreshed(number: int, frequency: str, **settings: object) -> dict[str, object]:
    return reachable(number, settings=json({"auto_refresh": True, "refresh_frequency": frequency, **settings}))


def completed(number: int, at: datetime, **changes: object) -> dict[str, object]:
    at = at.replace(tzinfo=None)
    metadata = json({"campaign_name": "spring", "cost_estimate": 9.5})
    return asked(number, created_at=at, executed_at=at, status="completed", metadata=metadata, **changes)


class World:
    """A store with a platform of each frequency, an audience on each, and somebody who asks now and then."""

    def __init__(self, store: TableStore, tmp_path: Path, start: datetime) -> None:
        self.store, self.clock = store, Clock(start)
        self.settings = Settings(
            data_dir=tmp_path / "data", landing_dir=tmp_path / "landing", quarantine_dir=tmp_path / "quarantine"
        )
        put(store, USERS, user())
        put(store, AUDIENCES, active())
        for number, frequency in enumerate(("daily", "weekly", "monthly"), start=1):
            put(store, PLATFORMS, refreshed(number, frequency))
            put(store, DISTRIBUTIONS, completed(number, start, platform_id=uuid(number)))

    def ask(self) -> list[tuple[str, str]]:
        """Ask for refreshes, and have them delivered at once; return the platform and period of each."""
        due, report = refresh(self.store, self.settings, self.clock)
        assert report.rejected == 0
        assert report.inserted == len(due)
        for each in due:
            done = {"status": "completed", "executed_at": self.clock()}
            self.store.transition(DISTRIBUTIONS, [Change(each.distribution_id, {"status": "scheduled"}, done)])
        return [(each.platform_id, each.period) for each in due]

    def days(self, count: int, *, outage: range = range(0)) -> list[tuple[str, str]]:
        """Ask every six hours of so many days; on the days of an outage nobody does."""
        asked_for = []
        for hour in range(6, count * 24 + 1, 6):
            self.clock.forward(hours=6)
            if hour // 24 not in outage:
                asked_for += self.ask()
        return asked_for


@pytest.mark.parametrize(
    "start",
    [datetime(2025, 3, 26, 9, tzinfo=UTC), datetime(2025, 10, 22, 9, tzinfo=UTC), datetime(2024, 2, 26, 9, tzinfo=UTC)],
    ids=["clocks go forward, a month ends", "clocks go back", "a leap day"],
)
def test_a_week_gives_one_refresh_a_period(parquet: TableStore, tmp_path: Path, start: datetime) -> None:
    found = World(parquet, tmp_path, start).days(8)
    days = [start.date() + timedelta(days=day) for day in range(1, 9)]
    daily = [(uuid(1), f"daily {day}") for day in days]
    weekly = [(uuid(2), f"weekly {day:%G-W%V}") for day in days if day.weekday() == 0]
    monthly = [(uuid(3), f"monthly {day:%Y-%m}") for day in days if day.day == 1]
    assert sorted(found) == sorted(daily + weekly + monthly)
    assert len(weekly) >= 1


def test_what_was_missed_in_an_outage_is_made_good_once(parquet: TableStore, tmp_path: Path) -> None:
    start = datetime(2025, 3, 26, 9, tzinfo=UTC)
    found = World(parquet, tmp_path, start).days(8, outage=range(2, 5))
    daily = [period for platform, period in found if platform == uuid(1)]
    assert daily == [f"daily 2025-{day}" for day in ("03-27", "03-28", "03-31", "04-01", "04-02", "04-03")]


def test_asking_again_asks_for_nothing_new(store: TableStore, tmp_path: Path, subtests: pytest.Subtests) -> None:
    world = World(store, tmp_path, datetime(2025, 3, 26, 9, tzinfo=UTC))
    world.clock.forward(days=1)
    with subtests.test("it carries what the last one said, and waits for its approval"):
        (due,), report = refresh(store, world.settings, world.clock)
        assert report.inserted == 1
        row = store.get(DISTRIBUTIONS, [due.distribution_id]).to_pylist()[0]
        assert (row["status"], row["distribution_type"], row["segments_distributed"]) == (
            "scheduled",
            "refresh",
            ["s1", "s2"],
        )
        assert row["metadata"] == json({"approval_status": "pending", "campaign_name": "spring", "cost_estimate": 9.5})
        assert row["created_at"] == datetime(2025, 3, 27)  # noqa: DTZ001 - stored times are UTC without a zone
    with subtests.test("while it is open no other one is due, in later periods either"):
        world.clock.forward(days=3)
        assert list(due_refreshes(store, world.clock())) == []
    with subtests.test("one that failed is not asked for again in its period, but in the next"):
        store.transition(DISTRIBUTIONS, [Change(due.distribution_id, {}, {"status": "failed"})])
        assert due.distribution_id not in [each.distribution_id for each in due_refreshes(store, world.clock())]
        assert [each.period for each in due_refreshes(store, world.clock())] == ["daily 2025-03-30"]


def test_what_is_not_to_be_refreshed_is_left_alone(parquet: TableStore, tmp_path: Path) -> None:
    world = World(parquet, tmp_path, datetime(2025, 3, 26, 9, tzinfo=UTC))
    world.clock.forward(days=40)
    (first, *_) = due = list(due_refreshes(parquet, world.clock()))
    assert (len(due), first.why_not) == (3, None)
    withdrawn = {"match_results.outcome": "withdrawn"}
    parquet.transition(DISTRIBUTIONS, [Change(uuid(1), {}, withdrawn)])
    assert uuid(1) not in [each.platform_id for each in due_refreshes(parquet, world.clock())]
    put(parquet, PLATFORMS, {**refreshed(2, "weekly"), "status": "inactive", "updated_at": world.clock()})
    put(parquet, AUDIENCES, active(status="archived", updated_at=world.clock()))
    (left,) = due_refreshes(parquet, world.clock())
    assert (left.platform_id, left.why_not) == (uuid(3), "its audience is archived")
    assert refresh(parquet, world.settings, world.clock)[1].read == 0


def test_two_who_ask_at_once_ask_once(parquet: TableStore, tmp_path: Path) -> None:
    world = World(parquet, tmp_path, datetime(2025, 3, 26, 9, tzinfo=UTC))
    world.clock.forward(days=40)
    barrier = threading.Barrier(3)

    def ask() -> int:
        barrier.wait()
        return refresh(parquet, world.settings, world.clock)[1].rejected

    with ThreadPoolExecutor(3) as pool:
        rejected = [future.result() for future in [pool.submit(ask) for _ in range(3)]]
    asked_for = [row for row in parquet.read(DISTRIBUTIONS).to_pylist() if row["distribution_type"] == "refresh"]
    assert (rejected, len(asked_for)) == ([0, 0, 0], 3)
