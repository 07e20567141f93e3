"""The contract of transition: compare-and-set over many rows, each won or lost on its own."""

from datetime import UTC, timedelta

import pytest

from audience_pipeline.errors import PipelineError, UsageError
from audience_pipeline.storage.contract import Change, TableStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, PLATFORMS
from audience_pipeline_tests.storage.builders import (
    JUNE,
    MAY,
    NOW,
    audience,
    distribution,
    json,
    move,
    one,
    platform,
    put,
    stored,
    uuid,
)

CLAIM = {"status": "processing", "error_details.attempt": {"token": "t1", "number": 1}}
OWNED_BY_THE_APPLICATION: list[tuple[str, object]] = [
    ("user_id", "thief"),
    ("audience_id", uuid(9)),
    ("created_at", JUNE),
    ("scheduled_at", JUNE),
    ("distribution_id", uuid(9)),
    ("metadata", {"campaign_name": "x"}),
    ("metadata.campaign_name", "x"),
    ("metadata.updated_at", JUNE),
    ("nothing", 1),
]
BROKEN: list[dict[str, object]] = [
    {"status": "half done"},
    {"status": None},
    {"match_results": {"matched_records": -1}},
    {"match_results": {"surprise": 1}},
    {"error_details.surprise": 1},
    {"metadata.approval_status": "perhaps"},
]


@pytest.fixture
def scheduled(store: TableStore) -> TableStore:
    """Three scheduled distributions, the third of June and of another user."""
    other = distribution(3, created_at=JUNE, user_id="other")
    put(store, DISTRIBUTIONS, distribution(1), distribution(2), other)
    return store


def test_a_change_is_won_where_the_row_is_as_expected_and_lost_elsewhere(scheduled: TableStore) -> None:
    scheduled.transition(DISTRIBUTIONS, [Change(uuid(2), {}, {"status": "completed"})])
    changes = [Change(uuid(number), {"status": "scheduled"}, CLAIM) for number in (1, 2, 3)]
    result = scheduled.transition(DISTRIBUTIONS, changes)
    assert set(result.won) == {uuid(1), uuid(3)}
    assert result.lost == {uuid(2): {"status": "completed"}}
    statuses = {key: row["status"] for key, row in stored(scheduled, DISTRIBUTIONS).items()}
    assert statuses == {uuid(1): "processing", uuid(2): "completed", uuid(3): "processing"}


def test_the_second_claim_of_a_row_is_lost(scheduled: TableStore) -> None:
    claim = Change(uuid(1), {"status": "scheduled"}, CLAIM)
    assert scheduled.transition(DISTRIBUTIONS, [claim]).won == (uuid(1),)
    assert scheduled.transition(DISTRIBUTIONS, [claim]).won == ()


def test_dotted_members_are_compared_and_put(scheduled: TableStore) -> None:
    scheduled.transition(DISTRIBUTIONS, [Change(uuid(1), {"error_details.attempt.token": None}, CLAIM)])
    other = Change(uuid(1), {"error_details.attempt.token": "t2"}, {"status": "failed"})
    assert scheduled.transition(DISTRIBUTIONS, [other]).lost == {uuid(1): {"error_details.attempt.token": "t1"}}
    mine = Change(uuid(1), {"error_details.attempt.token": "t1"}, {"error_details.hold": "paused"})
    assert scheduled.transition(DISTRIBUTIONS, [mine]).won == (uuid(1),)
    assert one(scheduled, DISTRIBUTIONS)["error_details"] == json(
        {"attempt": {"number": 1, "token": "t1"}, "hold": "paused"}
    )


def test_an_engine_owned_member_is_put_beside_what_the_application_wrote(scheduled: TableStore) -> None:
    change = Change(uuid(1), {"metadata.approval_status": "pending"}, {"metadata.approval_status": "approved"})
    assert scheduled.transition(DISTRIBUTIONS, [change]).won
    expected = json({"approval_status": "approved", "campaign_name": "spring"})
    assert one(scheduled, DISTRIBUTIONS)["metadata"] == expected


def test_none_takes_a_member_or_a_column_away(scheduled: TableStore) -> None:
    scheduled.transition(DISTRIBUTIONS, [Change(uuid(1), {}, CLAIM | {"executed_at": JUNE})])
    away = {"error_details.attempt": None, "executed_at": None, "metadata.approval_status": None}
    scheduled.transition(DISTRIBUTIONS, [Change(uuid(1), {}, away)])
    row = one(scheduled, DISTRIBUTIONS)
    assert (row["error_details"], row["executed_at"]) == (None, None)
    assert row["metadata"] == json({"campaign_name": "spring"})


def test_a_whole_json_column_is_put_canonically(scheduled: TableStore) -> None:
    results = {"total_records": 4, "matched_records": 3, "match_rate": 0.75, "platform_audience_id": None}
    scheduled.transition(DISTRIBUTIONS, [Change(uuid(1), {}, {"match_results": results})])
    text = one(scheduled, DISTRIBUTIONS)["match_results"]
    assert text == json({"match_rate": 0.75, "matched_records": 3, "total_records": 4})


def test_a_moment_is_expected_and_put_in_any_zone_to_the_millisecond(scheduled: TableStore) -> None:
    moment = NOW.replace(microsecond=123_456, tzinfo=UTC)
    scheduled.transition(
        DISTRIBUTIONS, [Change(uuid(1), {"created_at": MAY.replace(tzinfo=UTC)}, {"executed_at": moment})]
    )
    assert one(scheduled, DISTRIBUTIONS)["executed_at"] == NOW.replace(microsecond=123_000)
    again = Change(uuid(1), {"executed_at": moment}, {"status": "completed"})
    assert scheduled.transition(DISTRIBUTIONS, [again]).won == (uuid(1),)


def test_a_key_that_does_not_exist_is_lost(scheduled: TableStore) -> None:
    changes = [Change(uuid(99), {"status": None}, {"status": "failed"}), Change(uuid(98), {}, {"status": "failed"})]
    result = scheduled.transition(DISTRIBUTIONS, changes)
    assert (result.won, set(result.lost)) == ((), {uuid(98), uuid(99)})
    assert scheduled.transition(DISTRIBUTIONS, []).won == ()


def test_an_archived_row_is_lost(scheduled: TableStore) -> None:
    move(scheduled, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, [uuid(1)], {"archived_at": NOW})
    result = scheduled.transition(DISTRIBUTIONS, [Change(uuid(1), {}, {"status": "failed"})])
    assert set(result.lost) == {uuid(1)}


def test_the_other_rows_of_the_same_file_stay_as_they_are(scheduled: TableStore) -> None:
    before = one(scheduled, DISTRIBUTIONS, 2)
    scheduled.transition(DISTRIBUTIONS, [Change(uuid(1), {}, CLAIM)])
    assert one(scheduled, DISTRIBUTIONS, 2) == before


def test_what_the_application_owns_is_not_changed_by_the_engine(
    scheduled: TableStore, subtests: pytest.Subtests
) -> None:
    before = stored(scheduled, DISTRIBUTIONS)
    for name, value in OWNED_BY_THE_APPLICATION:
        with subtests.test(name=name), pytest.raises(UsageError, match=name):
            scheduled.transition(DISTRIBUTIONS, [Change(uuid(2), {}, CLAIM), Change(uuid(1), {}, {name: value})])
    assert stored(scheduled, DISTRIBUTIONS) == before


def test_a_value_that_breaks_the_declaration_is_refused_and_changes_nothing(
    scheduled: TableStore, subtests: pytest.Subtests
) -> None:
    before = stored(scheduled, DISTRIBUTIONS)
    for bad in BROKEN:
        with subtests.test(bad=bad), pytest.raises(PipelineError, match=next(iter(bad)).partition(".")[0]):
            scheduled.transition(DISTRIBUTIONS, [Change(uuid(2), {}, CLAIM), Change(uuid(1), {}, bad)])
    assert stored(scheduled, DISTRIBUTIONS) == before


def test_an_expectation_of_a_column_that_is_not_declared_is_refused(scheduled: TableStore) -> None:
    with pytest.raises(UsageError, match="nothing"):
        scheduled.transition(DISTRIBUTIONS, [Change(uuid(1), {"nothing": 1}, CLAIM)])


def test_two_changes_of_one_key_are_refused(scheduled: TableStore) -> None:
    twice = [Change(uuid(1), {}, {"status": "failed"}), Change(uuid(1), {}, {"status": "completed"})]
    with pytest.raises(UsageError, match=uuid(1)):
        scheduled.transition(DISTRIBUTIONS, twice)


def test_a_platform_keeps_its_version_when_the_engine_notes_a_sync(store: TableStore) -> None:
    put(store, PLATFORMS, platform())
    change = Change(uuid(1), {"sync_status": None}, {"sync_status": "success", "last_sync": NOW})
    assert store.transition(PLATFORMS, [change]).won
    row = one(store, PLATFORMS)
    assert (row["updated_at"], row["sync_status"], row["last_sync"]) == (MAY, "success", NOW)
    put(store, PLATFORMS, platform(name="b", updated_at=MAY + timedelta(milliseconds=1)))
    assert (one(store, PLATFORMS)["name"], one(store, PLATFORMS)["sync_status"]) == ("b", "success")


def test_a_table_without_engine_columns_takes_no_transition(store: TableStore) -> None:
    put(store, AUDIENCES, audience())
    with pytest.raises(UsageError, match=r"audiences\.status"):
        store.transition(AUDIENCES, [Change(uuid(1), {}, {"status": "archived"})])
