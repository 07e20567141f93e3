"""The contract of upsert: what never changes, what only the engine changes, and when a row is closed."""

from collections.abc import Callable
from typing import Any

import pytest

from audience_pipeline.storage.contract import Change, Refusal, TableStore
from audience_pipeline.tables import (
    AUDIENCES,
    DISTRIBUTIONS,
    DISTRIBUTIONS_ARCHIVE,
    PLATFORMS,
    USERS,
    Table,
)
from audience_pipeline_tests.storage.builders import (
    JUNE,
    MAY,
    NOW,
    Row,
    audience,
    distribution,
    frame,
    json,
    move,
    one,
    platform,
    put,
    sealed,
    stored,
    user,
    uuid,
)

IMMUTABLE: dict[Table, tuple[Callable[[int], Row], list[tuple[str, object]]]] = {
    AUDIENCES: (
        audience,
        [("user_id", "someone else"), ("created_at", JUNE), ("created_at", MAY.replace(day=4))],
    ),
    PLATFORMS: (platform, [("user_id", "someone else"), ("created_at", JUNE)]),
    DISTRIBUTIONS: (
        distribution,
        [("audience_id", uuid(9)), ("platform_id", uuid(9)), ("created_at", JUNE)],
    ),
    USERS: (lambda number: user(f"user {number}"), [("created_at", JUNE)]),
}
MATCHED = json({"matched_records": 1, "total_records": 2})


def refusal(store: TableStore, table: Table, *rows: Row) -> Refusal:
    """Upsert rows of which exactly one must be refused."""
    (refused,) = store.upsert(table, frame(table, rows)).refused
    assert all((refused.problem.field, refused.problem.found, refused.problem.expected, refused.problem.remedy))
    return refused


def transition(store: TableStore, status: str, **put_values: Any) -> None:  # noqa: ANN401 - any column's value
    """Let the engine take distribution 1 to a status."""
    result = store.transition(DISTRIBUTIONS, [Change(uuid(1), {}, {"status": status, **put_values})])
    assert result.won == (uuid(1),)


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "later"])
@pytest.mark.parametrize("table", IMMUTABLE, ids=lambda table: table.name)
def test_a_column_that_never_changes_is_defended(store: TableStore, table: Table, *, together: bool) -> None:
    """Each change is tried on a row of its own."""
    make, changes = IMMUTABLE[table]
    version = {"updated_at": JUNE} if "updated_at" in table.by_name else {}
    rows = [make(number) for number, _ in enumerate(changes)]
    changed = [{**row, column: value, **version} for row, (column, value) in zip(rows, changes, strict=True)]
    if not together:
        put(store, table, *rows)
    result = store.upsert(table, frame(table, [*rows, *changed] if together else changed))
    refused = sorted(result.refused, key=lambda each: each.row)
    assert [(each.problem.field, each.problem.code) for each in refused] == [(name, "immutable") for name, _ in changes]
    assert [each.row for each in refused] == [number + len(rows) * together for number, _ in enumerate(rows)]
    assert all((each.problem.found, each.problem.expected, each.problem.remedy) for each in refused)
    kept = stored(store, table)
    assert all(kept[row[table.key]][column] == row[column] for row, (column, _) in zip(rows, changes, strict=True))


def test_a_key_of_another_tenant_is_refused_without_naming_the_tenant(store: TableStore) -> None:
    put(store, AUDIENCES, audience(user_id="a secret customer"))
    refused = refusal(store, AUDIENCES, audience(user_id="nosy"))
    assert refused.problem.field == "user_id"
    assert "secret" not in repr(refused.problem)


def test_a_refused_row_says_which_one_it_is(store: TableStore) -> None:
    put(store, AUDIENCES, audience(7))
    refused = refusal(store, AUDIENCES, audience(1), audience(7, user_id="x"), audience(2))
    assert (refused.row, refused.key) == (1, uuid(7))
    assert set(stored(store)) == {uuid(1), uuid(2), uuid(7)}


@pytest.mark.parametrize("status", ["scheduled", "completed", "failed"])
def test_a_new_distribution_may_land_with_history(store: TableStore, status: str) -> None:
    put(store, DISTRIBUTIONS, distribution(status=status, executed_at=JUNE, match_results=MATCHED))
    row = one(store, DISTRIBUTIONS)
    assert (row["status"], row["executed_at"], row["match_results"]) == (status, JUNE, MATCHED)


def test_a_new_distribution_never_lands_processing(store: TableStore) -> None:
    refused = refusal(store, DISTRIBUTIONS, distribution(status="processing"))
    assert (refused.problem.field, refused.problem.code) == ("status", "engine_owned")
    assert stored(store, DISTRIBUTIONS) == {}


def test_a_scheduled_distribution_takes_changes_except_to_what_the_engine_owns(store: TableStore) -> None:
    put(store, DISTRIBUTIONS, distribution())
    changed = distribution(
        scheduled_at=JUNE,
        executed_at=JUNE,
        segments_distributed=["s2"],
        distribution_type="refresh",
        match_results=MATCHED,
        error_details=json({"error_code": "E"}),
        metadata=json({"approval_status": "approved", "approved_by": "me", "campaign_name": "autumn"}),
    )
    put(store, DISTRIBUTIONS, changed)
    row = one(store, DISTRIBUTIONS)
    assert (row["scheduled_at"], row["segments_distributed"], row["distribution_type"]) == (JUNE, ["s2"], "refresh")
    assert row["metadata"] == json({"approval_status": "pending", "campaign_name": "autumn"})
    assert (row["executed_at"], row["match_results"], row["error_details"]) == (None, None, None)


def test_a_landed_change_keeps_the_approval_on_record(store: TableStore) -> None:
    put(store, DISTRIBUTIONS, distribution())
    approval = {"metadata.approval_status": "approved", "metadata.approved_by": "ann", "metadata.approval_at": NOW}
    transition(store, "scheduled", **approval)
    put(store, DISTRIBUTIONS, distribution(metadata=None))
    assert one(store, DISTRIBUTIONS)["metadata"] == json(
        {"approval_at": "2025-08-01T12:00:00Z", "approval_status": "approved", "approved_by": "ann"}
    )


def test_a_landed_status_does_not_end_a_scheduled_distribution(store: TableStore) -> None:
    put(store, DISTRIBUTIONS, distribution())
    refused = refusal(store, DISTRIBUTIONS, distribution(status="completed", scheduled_at=JUNE))
    assert (refused.problem.field, refused.problem.code) == ("status", "engine_owned")


@pytest.mark.parametrize(
    ("status", "code"),
    [("processing", "already_processing"), ("completed", "already_finished"), ("failed", "already_finished")],
)
def test_a_row_the_engine_took_over_refuses_changes_and_takes_replays(
    store: TableStore, status: str, code: str
) -> None:
    put(store, DISTRIBUTIONS, distribution())
    transition(store, status, executed_at=JUNE)
    replay = store.upsert(DISTRIBUTIONS, frame(DISTRIBUTIONS, [distribution()]))
    assert (replay.unchanged, replay.refused) == (1, ())
    before = one(store, DISTRIBUTIONS)
    assert refusal(store, DISTRIBUTIONS, distribution(scheduled_at=JUNE)).problem.code == code
    assert one(store, DISTRIBUTIONS) == before


def test_an_older_version_of_a_closed_row_is_stale_and_not_refused(store: TableStore) -> None:
    put(store, DISTRIBUTIONS, distribution(metadata=json({"updated_at": "2025-05-04T00:00:00Z"})))
    transition(store, "completed")
    older = distribution(scheduled_at=JUNE, metadata=json({"updated_at": "2025-05-03T00:00:00Z"}))
    assert store.upsert(DISTRIBUTIONS, frame(DISTRIBUTIONS, [older])).stale == 1


def test_a_new_platform_keeps_the_sync_state_it_lands_with_and_an_old_one_its_own(store: TableStore) -> None:
    put(store, PLATFORMS, platform(last_sync=MAY, sync_status="success"))
    put(store, PLATFORMS, platform(name="b", updated_at=JUNE, last_sync=JUNE, sync_status="failed"))
    row = one(store, PLATFORMS)
    assert (row["name"], row["last_sync"], row["sync_status"]) == ("b", MAY, "success")


def test_a_platform_that_differs_only_in_its_sync_state_is_unchanged(store: TableStore) -> None:
    put(store, PLATFORMS, platform())
    result = store.upsert(PLATFORMS, frame(PLATFORMS, [platform(updated_at=MAY, sync_status="failed")]))
    assert result.unchanged == 1


def test_the_use_of_a_quota_is_never_landed_over(store: TableStore) -> None:
    put(store, USERS, user(quota=json({"max_audiences": 5, "current_usage": {"audiences": 3}})))
    put(store, USERS, user(quota=json({"max_audiences": 9, "current_usage": {"audiences": 0}})))
    assert stored(store, USERS)["user123"]["quota"] == json({"current_usage": {"audiences": 3}, "max_audiences": 9})


def test_an_archived_key_is_refused_and_the_refusal_names_restore(store: TableStore) -> None:
    put(store, DISTRIBUTIONS, distribution(status="completed"))
    move(store, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, [uuid(1)], {"archived_at": NOW})
    refused = refusal(store, DISTRIBUTIONS, distribution(scheduled_at=JUNE))
    assert (refused.problem.field, refused.problem.code) == ("distribution_id", "archived")
    assert f"restore {uuid(1)}" in refused.problem.remedy
    assert stored(store, DISTRIBUTIONS) == {}
    assert set(stored(store, DISTRIBUTIONS_ARCHIVE)) == {uuid(1)}


def test_an_old_landing_of_an_archived_key_is_stale(store: TableStore) -> None:
    put(store, DISTRIBUTIONS, distribution(status="completed", landed_position=7))
    move(store, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, [uuid(1)], {"archived_at": NOW})
    again = frame(DISTRIBUTIONS, [distribution(status="completed", landed_position=7)])
    assert store.upsert(DISTRIBUTIONS, again).stale == 1


def test_a_platform_that_was_paused_is_lifted_by_other_credentials_and_by_nothing_else(
    store: TableStore, subtests: pytest.Subtests
) -> None:
    first, paused = sealed(platform()), {"sync_status": "failed", "last_sync": NOW}
    landings: list[tuple[str, Row, str]] = [
        ("another name", {"name": "b", "credentials": first}, "failed"),
        ("the same secrets sealed again", {"name": "c", "credentials": sealed(platform())}, "failed"),
        ("other secrets", {"credentials": sealed(platform(), "other")}, "pending"),
        ("another account", {"credentials": sealed(platform(), "other").replace("seat-1", "seat-2")}, "pending"),
        ("none", {"credentials": None}, "pending"),
    ]
    put(store, PLATFORMS, platform(credentials=first))
    for day, (what, landed, status) in enumerate(landings, start=1):
        store.transition(PLATFORMS, [Change(uuid(1), {}, paused)])
        put(store, PLATFORMS, platform(updated_at=JUNE.replace(day=day), **landed))
        with subtests.test(what):
            assert one(store, PLATFORMS)["sync_status"] == status
    with subtests.test("one that is not paused stays as it is"):
        store.transition(PLATFORMS, [Change(uuid(1), {}, {"sync_status": "success"})])
        put(store, PLATFORMS, platform(updated_at=JUNE.replace(day=9), credentials=first))
        assert (one(store, PLATFORMS)["sync_status"], one(store, PLATFORMS)["last_sync"]) == ("success", NOW)
