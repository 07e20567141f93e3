"""What holds a distribution: each reason alone, named, and gone once its cause is."""

from datetime import timedelta
from typing import Any

import pytest

from audience_pipeline.delivery.cases import Case
from audience_pipeline.delivery.distribution import Distribution
from audience_pipeline.delivery.engine import Engine
from audience_pipeline.delivery.guards import Bounds, hold_of
from audience_pipeline.delivery.permission import Permission, Policy, Refusal, permission_of
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, PLATFORMS
from audience_pipeline_tests.delivery.world import (
    SEGMENTS,
    START,
    Clock,
    active,
    approve,
    asked,
    details,
    fill,
    reachable,
    results,
    run,
    status,
    worker,
)
from audience_pipeline_tests.sandbox_process import Sandbox
from audience_pipeline_tests.storage.builders import JULY, JUNE, Row, json, put, uuid

BOUNDS = Bounds(min_segment_size=25, max_size_change_pct=50, segment_floor=25)


def stored(row: Row) -> Distribution:
    absent = dict.fromkeys(DISTRIBUTIONS.column_names)
    return Distribution({**absent, **row})


def case(**parts: Any) -> Case:  # noqa: ANN401 - parts of a case
    """Return a case that nothing holds, changed by keyword."""
    audience: Row = {**dict.fromkeys(AUDIENCES.column_names), **active()}
    whole: dict[str, Any] = {
        "distribution": stored(asked()),
        "audience": audience,
        "platform": {"sync_status": None, **reachable()},
        "previous": None,
    }
    return Case(**{**whole, **parts})


def sent_before(size: int) -> Distribution:
    return stored(asked(2, match_results=json({"total_size": size})))


def sized(size: int) -> str:
    return json([{**SEGMENTS[0], "size": size}, SEGMENTS[1]])


HELD: dict[str, dict[str, Any]] = {
    "audience_missing": {"audience": None},
    "platform_missing": {"platform": None},
    "audience_draft": {"audience": {**active(), "status": "draft"}},
    "audience_archived": {"audience": {**active(), "status": "archived"}},
    "audience_refused": {"refused": "ab12"},
    "platform_inactive": {"platform": {**reachable(), "status": "inactive", "sync_status": None}},
    "platform_paused": {"platform": {**reachable(), "sync_status": "failed"}},
    "no_segments": {"distribution": stored(asked(segments_distributed=[]))},
    "segment_unknown": {"distribution": stored(asked(segments_distributed=["s1", "s3"]))},
    "segment_too_small": {"audience": {**active(), "segments": sized(24)}},
    "size_changed": {"previous": sent_before(600)},
}


@pytest.mark.parametrize("reason", HELD)
def test_each_cause_holds_with_its_name_and_says_what_lifts_it(reason: str) -> None:
    hold = hold_of(case(**HELD[reason]), BOUNDS)
    assert hold is not None
    assert hold.reason == reason
    assert len(hold.detail) > 20


def test_nothing_holds_what_is_in_order() -> None:
    assert hold_of(case(), BOUNDS) is None
    assert hold_of(case(audience={**active(), "segments": sized(25)}), BOUNDS) is None


@pytest.mark.parametrize(("before", "held"), [(1000, False), (2000, False), (2001, True), (667, False), (666, True)])
def test_a_size_may_change_by_half_and_no_more(before: int, held: bool) -> None:
    assert (hold_of(case(previous=sent_before(before)), BOUNDS) is not None) is held


def test_a_platforms_own_floor_counts_where_it_is_higher() -> None:
    hold = hold_of(case(), Bounds(25, 50, segment_floor=500))
    assert hold is not None
    assert hold.detail == "segment s2 (400) under 500 members"


def decided(**members: Any) -> Distribution:  # noqa: ANN401 - members of the metadata
    digest = case().content.digest
    given = {
        "approval_status": "approved",
        "approval_digest": digest,
        "approval_expires_at": START.isoformat(),
        **members,
    }
    return stored(asked(metadata=json({name: value for name, value in given.items() if value is not None})))


@pytest.mark.parametrize("column", ["audience_id", "platform_id"])
def test_what_belongs_to_another_tenant_is_neither_sent_nor_approved_and_reads_like_nothing(
    sandbox: Sandbox, store: TableStore, column: str
) -> None:
    """Ingest refuses such a row; whoever writes it past ingest gains nothing."""
    kind = column.removesuffix("_id")
    fill(store, 1)
    put(store, AUDIENCES, active(2, user_id="victim"))
    put(store, PLATFORMS, reachable(2, user_id="victim"))
    put(store, DISTRIBUTIONS, asked(2, **{column: uuid(2)}), asked(3, **{column: uuid(404)}))
    refused = {each.distribution_id: each for each in approve(store, 1, 2, 3)}
    assert [refused[uuid(number)].outcome for number in (1, 2, 3)] == ["approved", "refused", "refused"]
    assert refused[uuid(2)].note == refused[uuid(3)].note
    clock = Clock()
    with worker(store, sandbox.url, clock, require_approval=False) as engine:
        reports = run(engine)
    assert {status(store, number) for number in (2, 3)} == {"scheduled"}
    assert [details(store, number)["hold"] for number in (2, 3)] == [f"{kind}_missing"] * 2
    assert "victim" not in repr([reports, refused])


BEFORE, AFTER = START - timedelta(seconds=1), START


def test_an_approval_holds_until_its_end_and_only_for_its_content() -> None:
    fine = case(distribution=decided())
    assert isinstance(permission_of(fine, Policy(), BEFORE), Permission)
    ended = permission_of(fine, Policy(), AFTER)
    assert isinstance(ended, Refusal)
    assert ended.code == "approval_expired"
    void = permission_of(case(distribution=decided(), audience={**active(), "segments": sized(601)}), Policy(), BEFORE)
    assert not isinstance(void, Permission | Refusal)
    assert void.reason == "approval_void"


@pytest.mark.parametrize(
    ("policy", "members", "allowed"),
    [
        (Policy(), {"approval_digest": None}, False),
        (Policy(trust_landed=True), {"approval_digest": None}, True),
        (Policy(required=False), {"approval_status": "pending"}, True),
        (Policy(), {"approval_status": "pending"}, False),
    ],
)
def test_a_landed_approval_counts_only_where_that_is_set(
    policy: Policy, members: dict[str, Any], allowed: bool
) -> None:
    assert isinstance(permission_of(case(distribution=decided(**members)), policy, BEFORE), Permission) is allowed


def deliver(engine: Engine, clock: Clock, number: int) -> None:
    """Have one distribution sent, and its report taken."""
    run(engine)
    clock.forward(minutes=2)
    run(engine)
    assert status(engine.store, number) in {"completed", "scheduled"}


def resized(store: TableStore, size: int, **changes: Any) -> None:  # noqa: ANN401 - any column
    put(store, AUDIENCES, active(segments=sized(size), updated_at=JUNE, **changes))


def test_a_standing_approval_covers_refreshes_until_the_content_changes(
    engine: Engine, sandbox: Sandbox, clock: Clock, subtests: pytest.Subtests
) -> None:
    store = engine.store
    approve(store, 1, standing=True)
    deliver(engine, clock, 1)
    resized(store, 700)
    put(store, DISTRIBUTIONS, asked(2, distribution_type="refresh"), asked(3))
    with subtests.test("today's sizes are sent, however long ago it was given"):
        clock.forward(days=200)
        deliver(engine, clock, 2)
        assert (status(store, 2), results(store, 2)["total_records"]) == ("completed", 1100)
    with subtests.test("another initial one needs an approval of its own"):
        assert details(store, 3)["hold"] == "approval_pending"
    with subtests.test("so does a refresh of other content"):
        put(store, AUDIENCES, active(updated_at=JULY, segments=json([{**SEGMENTS[0], "name": "Beach"}, SEGMENTS[1]])))
        put(store, DISTRIBUTIONS, asked(4, distribution_type="refresh"))
        run(engine)
        assert details(store, 4)["hold"] == "approval_pending"
        assert len(sandbox.audiences()) == 2


def test_an_incremental_sends_what_changed_and_says_so_where_nothing_did(
    on_files: Engine, sandbox: Sandbox, clock: Clock, subtests: pytest.Subtests
) -> None:
    store = on_files.store
    approve(store, 1, standing=True)
    deliver(on_files, clock, 1)
    with subtests.test("nothing changed: nothing is sent, and it is completed as that"):
        put(store, DISTRIBUTIONS, asked(2, distribution_type="incremental"))
        deliver(on_files, clock, 2)
        assert (status(store, 2), results(store, 2)["outcome"]) == ("completed", "nothing_changed")
        assert len(sandbox.audiences()) == 1
    with subtests.test("only the segment that changed is sent, and all the platform has is on record"):
        resized(store, 700)
        put(store, DISTRIBUTIONS, asked(3, distribution_type="incremental"))
        deliver(on_files, clock, 3)
        third = sandbox.audience(f"{uuid(3)}.0")
        assert third is not None
        assert third["accepted"] == ["s1"]
        assert [(each["segment_id"], each["size"]) for each in results(store, 3)["sent"]] == [("s1", 700), ("s2", 400)]
    with subtests.test("after a while everything is sent once more"):
        clock.forward(days=31)
        put(store, DISTRIBUTIONS, asked(4, distribution_type="incremental"))
        deliver(on_files, clock, 4)
        fourth = sandbox.audience(f"{uuid(4)}.0")
        assert fourth is not None
        assert fourth["accepted"] == ["s1", "s2"]


def test_a_hold_is_lifted_by_itself_once_its_cause_is_gone(on_files: Engine, clock: Clock) -> None:
    store = on_files.store
    resized(store, 600, status="draft")
    approve(store)
    run(on_files)
    assert details(store)["hold"] == "audience_draft"
    put(store, AUDIENCES, active(updated_at=JULY))
    assert run(on_files, held=False) == {}
    clock.forward(minutes=5)
    assert run(on_files, held=False)[uuid(1)].outcome == "processing"
    assert "hold" not in details(store)
