"""What goes wrong between us and a platform: tried again, given up, paused, and never sent twice."""

from typing import Any

import pytest

from audience_pipeline.delivery.engine import Engine
from audience_pipeline.delivery.lifecycle import By
from audience_pipeline.delivery.retrying import retry
from audience_pipeline.storage.contract import Change
from audience_pipeline.tables import DISTRIBUTIONS, PLATFORMS
from audience_pipeline_tests.delivery.world import (
    Clock,
    approve,
    asked,
    details,
    history,
    reachable,
    results,
    run,
    status,
)
from audience_pipeline_tests.sandbox_process import Sandbox
from audience_pipeline_tests.storage.builders import JUNE, one, put, sealed, uuid

NOT_TAKEN: list[tuple[dict[str, Any], str, int]] = [
    ({"kind": "rate_limited", "retry_after": 120.0}, "rate_limited", 120),
    ({"kind": "server_error"}, "unavailable", 15),
    ({"kind": "reset_before_accepting"}, "no_answer", 15),
]


def until_ended(engine: Engine, clock: Clock, number: int = 1) -> str:
    """Deliver, time after time, until a distribution has ended; return how."""
    for _ in range(30):
        if status(engine.store, number) in {"completed", "failed"}:
            break
        run(engine)
        clock.forward(hours=1)
    return status(engine.store, number)


def test_what_was_not_taken_is_sent_again_under_the_same_key(
    on_files: Engine, sandbox: Sandbox, clock: Clock, subtests: pytest.Subtests
) -> None:
    store = on_files.store
    put(store, DISTRIBUTIONS, *(asked(number) for number in range(2, 5)))
    for number, (fault, code, seconds) in enumerate(NOT_TAKEN, start=2):
        approve(store, number, at=clock())
        sandbox.faults({**fault, "next": 1, "on": ["submit"]})
        with subtests.test(fault["kind"]):
            assert run(on_files)[uuid(number)].outcome == "scheduled"
            found = details(store, number)
            assert (found["error_code"], found["retry_count"]) == (code, 1)
            due = [each.key for each in store.due(clock(), limit=9)]
            assert uuid(number) not in due
            clock.forward(seconds=seconds - 1)
            assert uuid(number) not in [each.key for each in store.due(clock(), limit=9, held=True)]
            clock.forward(seconds=60)
            assert run(on_files)[uuid(number)].outcome == "processing"
            assert sandbox.audience(f"{uuid(number)}.0") is not None
            assert until_ended(on_files, clock, number) == "completed"


def test_what_was_taken_though_no_answer_came_is_found_and_not_sent_again(
    engine: Engine, sandbox: Sandbox, clock: Clock
) -> None:
    approve(engine.store)
    sandbox.faults({"kind": "timeout_after_accepting", "next": 1, "seconds": 3.0})
    assert run(engine)[uuid(1)].outcome == "processing"
    assert [each["requests"] for each in sandbox.audiences()] == [1]
    assert until_ended(engine, clock) == "completed"
    assert "retry_count" not in details(engine.store)


def test_an_outcome_nobody_can_tell_yet_is_asked_for_until_somebody_can(
    on_files: Engine, sandbox: Sandbox, clock: Clock
) -> None:
    approve(on_files.store)
    lost, silent = (
        {"kind": "timeout_after_accepting", "next": 1, "seconds": 3.0},
        {"kind": "server_error", "on": ["find"]},
    )
    sandbox.faults(lost, silent)
    assert run(on_files)[uuid(1)].outcome == "processing"
    assert details(on_files.store)["error_code"] == "no_answer"
    clock.forward(hours=1)
    run(on_files)
    assert "reference" not in details(on_files.store)["attempt"]
    sandbox.faults()
    assert until_ended(on_files, clock) == "completed"
    assert [each["requests"] for each in sandbox.audiences()] == [1]


def test_an_outcome_nobody_can_tell_in_time_is_unknown_and_sent_again_only_on_purpose(
    on_files: Engine, sandbox: Sandbox, clock: Clock
) -> None:
    store = on_files.store
    approve(store)
    sandbox.faults(
        {"kind": "timeout_after_accepting", "next": 1, "seconds": 3.0}, {"kind": "server_error", "on": ["find"]}
    )
    assert until_ended(on_files, clock) == "failed"
    assert details(store)["error_code"] == "outcome_unknown"
    sandbox.faults()
    by = By(clock(), "anna")
    (refused,) = retry(store, [uuid(1)], by)
    assert (refused.outcome, status(store)) == ("refused", "failed")
    assert "--resend" in refused.note
    assert retry(store, [uuid(1)], by, resend=True)[0].outcome == "scheduled"
    assert until_ended(on_files, clock) == "completed"
    assert sorted(each["idempotency_key"] for each in sandbox.audiences()) == [f"{uuid(1)}.0", f"{uuid(1)}.1"]
    assert ("failed", "scheduled", "retry") in history(store)


def test_it_is_given_up_after_as_many_attempts_as_there_are(on_files: Engine, sandbox: Sandbox, clock: Clock) -> None:
    store = on_files.store
    approve(store)
    sandbox.faults({"kind": "server_error", "on": ["submit"]})
    assert until_ended(on_files, clock) == "failed"
    found = details(store)
    assert (found["error_code"], found["retry_count"], found["attempt"]["number"]) == ("unavailable", 5, 5)
    assert "5 attempts failed" in found["error_message"]
    sandbox.faults()
    retry(store, [uuid(1)], By(clock(), "anna"))
    assert until_ended(on_files, clock) == "completed"
    assert [each["idempotency_key"] for each in sandbox.audiences()] == [f"{uuid(1)}.0"]


def test_refused_credentials_pause_the_platform_until_it_lands_with_other_ones(
    engine: Engine, sandbox: Sandbox, clock: Clock, subtests: pytest.Subtests
) -> None:
    store = engine.store
    put(store, DISTRIBUTIONS, asked(2))
    approve(store, 1, 2)
    sandbox.faults({"kind": "unauthorized", "on": ["submit"]})
    with subtests.test("what met it, and all the others, are held"):
        run(engine)
        assert [details(store, number)["hold"] for number in (1, 2)] == ["platform_paused"] * 2
        assert one(store, PLATFORMS)["sync_status"] == "failed"
        assert "retry_count" not in details(store)
    sandbox.faults()
    with subtests.test("and stay so, though the platform would take them"):
        clock.forward(hours=1)
        assert {report.outcome for report in run(engine).values()} == {"held"}
        assert sandbox.audiences() == []
    with subtests.test("until it lands with another key"):
        row = reachable(updated_at=JUNE)
        put(store, PLATFORMS, {**row, "credentials": sealed(row, "another key")})
        clock.forward(hours=1)
        assert {report.outcome for report in run(engine).values()} == {"processing"}
        assert one(store, PLATFORMS)["sync_status"] == "success"
        assert len(sandbox.audiences()) == 2


def test_what_a_platform_does_not_like_ends_with_its_reason(
    on_files: Engine, sandbox: Sandbox, clock: Clock, subtests: pytest.Subtests
) -> None:
    store = on_files.store
    put(store, DISTRIBUTIONS, *(asked(number) for number in (2, 3)))
    with subtests.test("one that the platform denies after it took it has failed"):
        approve(store, 1)
        sandbox.faults({"kind": "denied", "next": 1})
        assert until_ended(on_files, clock) == "failed"
        assert (details(store)["error_code"], results(store)["sent"][0]["segment_id"]) == ("approval_denied", "s1")
        retry(store, [uuid(1)], By(clock(), "anna"))
        assert until_ended(on_files, clock) == "completed"
        assert sandbox.audience(f"{uuid(1)}.1") is not None
    with subtests.test("segments it refuses are on record, and not among what was sent"):
        approve(store, 2, at=clock())
        sandbox.faults({"kind": "partial_success", "next": 1})
        assert until_ended(on_files, clock, 2) == "completed"
        assert (details(store, 2)["error_code"], results(store, 2)["outcome"]) == ("partially_refused", "partial")
        assert [each["segment_id"] for each in results(store, 2)["sent"]] == ["s1"]
        assert results(store, 2)["total_size"] == 1000
    with subtests.test("sizes it does not know are unknown, not nothing"):
        store.transition(DISTRIBUTIONS, [Change(uuid(3), {}, {"metadata.approval_status": "pending"})])
        approve(store, 3, at=clock())
        sandbox.faults({"kind": "unknown_size"})
        run(on_files)
        clock.forward(minutes=1)
        run(on_files)
        told: dict[str, Any] = results(store, 3)
        assert "total_records" not in told
        assert "matched_records" not in told


def test_a_platform_that_never_reports_is_given_up_at_the_deadline(
    on_files: Engine, sandbox: Sandbox, clock: Clock
) -> None:
    approve(on_files.store)
    run(on_files)
    sandbox.faults({"kind": "server_error", "on": ["poll"]})
    clock.forward(hours=23)
    assert run(on_files)[uuid(1)].outcome == "processing"
    clock.forward(hours=2)
    run(on_files)
    assert (status(on_files.store), details(on_files.store)["error_code"]) == ("failed", "not_reported")
