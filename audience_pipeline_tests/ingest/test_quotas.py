"""Quotas: what counts, in which order, and what makes room."""

from datetime import timedelta

import pytest

from audience_pipeline.tables import AUDIENCES
from audience_pipeline_tests.ingest.builders import audience, distribution, platform, user, uuid
from audience_pipeline_tests.ingest.conftest import Place

LATER, LATEST = "2025-06-01T00:00:00Z", "2025-07-01T00:00:00Z"


def test_audiences_are_taken_up_to_the_quota_in_order_of_creation(place: Place) -> None:
    place.ingest("users", [user(quota={"max_audiences": 2})])
    late = audience(1, created_at="2025-05-03T00:00:03Z")
    early = [audience(number, created_at=f"2025-05-03T00:00:0{number - 2}Z") for number in (3, 4)]
    report = place.ingest("audiences", [late, *early])
    assert (report.inserted, report.rejected) == (2, 1)
    assert {row["audience_id"] for row in place.rows("audiences")} == {uuid(3), uuid(4)}
    assert place.codes() == [{"quota_exceeded"}]


def test_archived_audiences_and_updates_do_not_count(place: Place) -> None:
    place.ingest("users", [user(quota={"max_audiences": 1})])
    assert place.ingest("audiences", [audience(1, status="archived"), audience(2)]).inserted == 2
    assert place.ingest("audiences", [audience(2, name="new", updated_at="2025-06-01T00:00:00Z")]).updated == 1
    assert place.ingest("audiences", [audience(3, status="archived")]).inserted == 1
    assert place.ingest("audiences", [audience(4)]).rejected == 1


def test_records_that_landed_and_are_not_folded_count(place: Place) -> None:
    place.ingest("users", [user(quota={"max_audiences": 1})])
    place.drop("audiences", "a.ndjson", [audience(1)])
    place.drop("audiences", "b.ndjson", [audience(2)])
    assert [file.accepted for file in place.land()] == [1, 0]
    assert place.store.landing.read(AUDIENCES).num_rows == 1


def test_versions_of_one_record_are_one_insert(place: Place) -> None:
    place.ingest("users", [user(quota={"max_audiences": 1})])
    report = place.ingest("audiences", [audience(1), audience(1, name="b", updated_at="2025-06-01T00:00:00Z")])
    assert report.rejected == 0
    assert [row["name"] for row in place.rows("audiences")] == ["b"]


def test_distributions_are_counted_by_the_month_they_are_inserted_in(place: Place) -> None:
    place.ingest("users", [user(quota={"max_distributions_per_month": 1})])
    place.ingest("audiences", [audience()])
    place.ingest("platforms", [platform()])
    assert place.ingest("distributions", [distribution(1), distribution(2)]).inserted == 1
    place.now += timedelta(days=31)
    assert place.ingest("distributions", [distribution(3)]).inserted == 1
    assert place.ingest("distributions", [distribution(4)]).rejected == 1


@pytest.mark.parametrize("users", [[], [user()], [user(quota={})], [user(quota={"max_audiences": None})]])
def test_without_a_quota_there_is_no_limit(place: Place, users: list[dict[str, object]]) -> None:
    place.ingest("users", users)
    assert place.ingest("audiences", [audience(number) for number in range(1, 30)]).inserted == 29


def test_a_quota_of_nothing_allows_nothing(place: Place) -> None:
    place.ingest("users", [user(quota={"max_audiences": 0})])
    assert place.ingest("audiences", [audience()]).rejected == 1


def test_an_archived_audience_that_landed_and_is_not_folded_does_not_count(place: Place) -> None:
    place.ingest("users", [user(quota={"max_audiences": 1})])
    place.drop("audiences", "a.ndjson", [audience(1, status="archived")])
    place.drop("audiences", "b.ndjson", [audience(2)])
    place.drop("audiences", "c.ndjson", [audience(3)])
    assert [file.accepted for file in place.land()] == [1, 1, 0]


@pytest.mark.parametrize("folded", [True, False], ids=["stored", "landed"])
def test_an_archival_that_landed_and_is_not_folded_makes_room(place: Place, *, folded: bool) -> None:
    place.ingest("users", [user(quota={"max_audiences": 1})])
    place.drop("audiences", "a.ndjson", [audience(1)])
    place.land()
    if folded:
        place.ingest("audiences", [])
    place.drop("audiences", "b.ndjson", [audience(1, status="archived", updated_at=LATER)])
    place.drop("audiences", "c.ndjson", [audience(2)])
    place.drop("audiences", "d.ndjson", [audience(3)])
    assert [file.accepted for file in place.land()] == [1, 1, 0]


def test_an_archival_that_is_not_the_newest_makes_no_room(place: Place) -> None:
    place.ingest("users", [user(quota={"max_audiences": 1})])
    place.ingest("audiences", [audience(1, updated_at=LATEST)])
    place.drop("audiences", "a.ndjson", [audience(1, status="archived", updated_at=LATER)])
    place.drop("audiences", "b.ndjson", [audience(2)])
    assert [file.accepted for file in place.land()] == [1, 0]
    place.drop("audiences", "c.ndjson", [audience(1, status="archived", updated_at="2025-07-02T00:00:00Z")])
    place.drop("audiences", "d.ndjson", [audience(1, updated_at="2025-07-03T00:00:00Z")])
    place.drop("audiences", "e.ndjson", [audience(3)])
    assert [file.accepted for file in place.land()] == [1, 1, 0]


def test_the_reason_says_the_limit_and_the_order(place: Place) -> None:
    place.ingest("users", [user(quota={"max_audiences": 0})])
    place.ingest("audiences", [audience()])
    ((problem,),) = (entry.problems for entry in place.entries())
    assert problem.found == "one more than 0 audiences that are not archived"
    assert problem.expected == "at most 0 (max_audiences), the earliest created in each 24 MiB of a file first"
