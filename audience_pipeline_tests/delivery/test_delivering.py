"""A distribution from scheduled to completed: what is sent, what is on record, and that it happens once."""

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from audience_pipeline.delivery.engine import Engine
from audience_pipeline.queries.catalog import ensure_catalog
from audience_pipeline.tables import AUDIT_LOG, DISTRIBUTION_EVENTS, DISTRIBUTIONS, PLATFORMS
from audience_pipeline_tests.delivery.world import (
    START,
    Clock,
    approve,
    details,
    history,
    results,
    run,
    status,
)
from audience_pipeline_tests.sandbox_process import Sandbox
from audience_pipeline_tests.storage.builders import one, uuid
from audience_pipeline_tests.storage.conftest import store as both_backends

store = both_backends


def test_what_is_approved_is_sent_and_completed_once(
    engine: Engine, sandbox: Sandbox, clock: Clock, subtests: pytest.Subtests
) -> None:
    store = engine.store
    with subtests.test("what nobody approved is held, and one event says so however often it is looked at"):
        assert run(engine)[uuid(1)].outcome == "held"
        clock.forward(minutes=10)
        run(engine)
        assert details(store)["hold"] == "approval_pending"
        assert sandbox.audiences() == []
        assert history(store) == [("scheduled", "scheduled", "approval_pending")]
    with subtests.test("what is approved is taken by the platform, under a key of its own"):
        approve(store, at=clock())
        assert [each.key for each in store.due(clock(), limit=9)] == [uuid(1)]
        assert run(engine)[uuid(1)].outcome == "processing"
        (taken,) = sandbox.audiences()
        assert (taken["idempotency_key"], taken["members"]) == (f"{uuid(1)}.0", {"s1": 600, "s2": 400})
        assert one(store, DISTRIBUTIONS)["executed_at"] == clock().replace(tzinfo=None)
        assert details(store)["attempt"]["reference"] == taken["reference"]
    with subtests.test("the platform's report completes it, with the basis of its numbers"):
        clock.forward(minutes=1)
        assert run(engine)[uuid(1)].outcome == "completed"
        found = results(store)
        assert (found["total_records"], found["matched_records"], found["match_rate"]) == (1000, 500, 0.5)
        assert (found["basis"], found["outcome"]) == ("simulated", "delivered")
        assert [(each["segment_id"], each["size"]) for each in found["sent"]] == [("s1", 600), ("s2", 400)]
    with subtests.test("the platform was reached"):
        row = one(store, PLATFORMS)
        assert (row["sync_status"], row["last_sync"]) == ("success", clock().replace(tzinfo=None))
    with subtests.test("the audit log tells who approved and who delivered"):
        entries = {row["action"]: row for row in store.read(AUDIT_LOG).to_pylist()}
        assert set(entries) == {"approve", "deliver"}
        assert entries["deliver"]["object"] == uuid(1)
        assert entries["deliver"]["actor"] == next(
            each["actor"] for each in store.read(DISTRIBUTION_EVENTS).to_pylist() if each["reason"] == "claimed"
        )
    with subtests.test("each step is an event"):
        assert history(store) == [
            ("scheduled", "scheduled", "approval_pending"),
            ("scheduled", "scheduled", "approved"),
            ("scheduled", "processing", "claimed"),
            ("processing", "processing", "accepted"),
            ("processing", "completed", "delivered"),
        ]
    with subtests.test("it is closed after a last look, and then never looked at again"):
        clock.forward(hours=1)
        run(engine)
        assert "look_again_at" not in details(store)
        assert store.due(START + timedelta(days=900), limit=9) == []
        assert (run(engine), status(store), len(sandbox.audiences())) == ({}, "completed", 1)


def test_analysts_read_what_happened_to_what_was_sent_where(on_files: Engine, clock: Clock, root: Path) -> None:
    approve(on_files.store)
    run(on_files)
    clock.forward(minutes=1)
    run(on_files)
    with duckdb.connect(ensure_catalog(root), read_only=True) as catalog:
        found = catalog.sql(
            "SELECT reason, audience_id, platform_id, distribution_type, user_id FROM delivery_log"
            " ORDER BY created_at, attempt, from_status DESC"
        ).fetchall()
        (match,) = catalog.sql("SELECT match_rate, basis, len(sent) FROM distribution_results").fetchall()
    assert [row[0] for row in found] == ["approved", "claimed", "accepted", "delivered"]
    assert {row[1:] for row in found} == {(uuid(1), uuid(1), "initial", "user123")}
    assert match == (0.5, "simulated", 2)
