"""The world as a whole: the same for the same seed, of any size, in constant memory."""

import tracemalloc
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from audience_pipeline.demo.generate import DemoWorld
from audience_pipeline.errors import UsageError
from audience_pipeline_tests.demo.worlds import NOW, TABLES, text, world


@pytest.mark.parametrize("table", TABLES)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(table: str) -> None:
    small = {"tenants": 10, "audiences": 60, "distributions": 200}
    assert text(world(**small), table) == text(world(**small), table)
    assert text(world(**small), table) != text(world(seed=8, **small), table)


def test_tables_can_be_read_in_any_order_and_again() -> None:
    one = world(tenants=10, audiences=60, distributions=200)
    distributions = text(one, "distributions")
    assert text(one, "audiences") == text(world(tenants=10, audiences=60, distributions=200), "audiences")
    assert text(one, "distributions") == distributions


@pytest.mark.parametrize(("audiences", "distributions"), [(0, 0), (1, 0), (1, 300), (129, 1), (128, 1_000), (300, 7)])
def test_a_world_has_exactly_the_size_asked_for(audiences: int, distributions: int) -> None:
    one = world(tenants=3, audiences=audiences, distributions=distributions)
    assert sum(1 for _ in one.users()) == 3
    assert len({record["audience_id"] for record in one.audiences()}) == audiences
    assert len({record["distribution_id"] for record in one.distributions()}) == distributions


def test_tenants_are_sized_by_zipfs_law() -> None:
    owners = Counter(record["user_id"] for record in world(tenants=100, audiences=5_000, distributions=0).audiences())
    first, tenth, fiftieth = (owners[f"user_{rank:05d}"] for rank in (1, 10, 50))
    assert 6 < first / tenth < 16
    assert 20 < first / fiftieth < 140
    assert len(owners) > 90


def test_months_are_all_there_and_autumn_is_busier_than_winter() -> None:
    months = Counter(record["created_at"][:7] for record in world(audiences=6_000, distributions=0).audiences())
    assert min(months) == "2024-04"
    assert max(months) == "2026-03"
    assert len(months) == 24
    assert months["2025-11"] > 1.3 * months["2025-07"]


def test_memory_does_not_grow_with_the_world() -> None:
    small, large = world(audiences=400, distributions=2_000), world(audiences=4_000, distributions=20_000)
    consume(small)
    assert peak(large) < 1.5 * peak(small)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"tenants": 0}, "0"),
        ({"months": 0}, "0"),
        ({"distribution_count": -1}, "-1"),
        ({"audience_count": 0}, "0"),
        ({"now": datetime(2026, 3, 1)}, "a time without a time zone"),  # noqa: DTZ001 - it is what is refused
    ],
)
def test_an_impossible_world_is_refused(change: dict[str, int], found: str) -> None:
    with pytest.raises(UsageError) as caught:
        DemoWorld(**{"seed": 1, "now": NOW, **change})  # type: ignore[arg-type]  # keywords as data
    assert caught.value.found == found


@pytest.mark.parametrize("now", [datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, 0, 0, 0, 5000, tzinfo=UTC)])
def test_a_world_of_one_month_that_has_just_begun_is_in_that_month(now: datetime) -> None:
    one = DemoWorld(1, now, tenants=5, audience_count=50, distribution_count=100, months=1)
    for records in (one.audiences(), one.distributions()):
        assert {record["created_at"][:7] for record in records} == {"2026-03"}


def test_requests_for_an_audience_come_in_order_and_start_with_an_initial_one_for_each_platform() -> None:
    history: dict[str, list[tuple[str, str, str]]] = {}
    for record in world().distributions():
        entry = record["created_at"], record["platform_id"], record["distribution_type"]
        history.setdefault(record["audience_id"], []).append(entry)
    for entries in history.values():
        assert all(before <= after for (before, *_), (after, *_) in pairwise(entries))
        initial = [platform for _, platform, kind in entries if kind == "initial"]
        assert sorted(initial) == sorted({platform for _, platform, _ in entries})


def consume(one: DemoWorld) -> None:
    for table in TABLES:
        exhaust(getattr(one, table)())


def exhaust(records: Iterable[object]) -> None:
    for _ in records:
        pass


def peak(one: DemoWorld) -> int:
    tracemalloc.start()
    try:
        consume(one)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
