"""Decisions on distributions: who may make them, what they are bound to, and the record they leave."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from audience_pipeline.delivery import approval, journal
from audience_pipeline.delivery.approval import Decided, Decision, decide
from audience_pipeline.errors import SecurityError, UsageError
from audience_pipeline.storage.contract import Change, TableStore
from audience_pipeline.tables import AUDIENCES, AUDIT_LOG, DISTRIBUTION_EVENTS, DISTRIBUTIONS, PLATFORMS, USERS
from audience_pipeline_tests.storage.builders import audience, distribution, json, one, platform, put, user, uuid

NOW = datetime(2025, 7, 1, 12, tzinfo=UTC)
YES = Decision("approved", "anna")
NO = Decision("rejected", "anna", "too broad")
SEGMENTS = [{"segment_id": "s1", "name": "Coast", "size": 60, "characteristics": {"age": "25-44"}}]


@pytest.fixture
def filled(store: TableStore) -> TableStore:
    return fill(store)


@pytest.fixture
def on_files(parquet: TableStore) -> TableStore:
    return fill(parquet)


def fill(store: TableStore) -> TableStore:
    """Store two scheduled distributions of one audience to one platform."""
    put(store, AUDIENCES, audience(segments=json(SEGMENTS)))
    put(store, PLATFORMS, platform())
    put(store, DISTRIBUTIONS, distribution(1), distribution(2))
    return store


def decided(store: TableStore, decision: Decision = YES, *numbers: int, at: datetime = NOW) -> list[Decided]:
    return decide(store, [uuid(number) for number in numbers or (1,)], decision, now=at, days=30)


def metadata(store: TableStore, number: int = 1) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.json.decode(one(store, DISTRIBUTIONS, number)["metadata"])
    return members


def events(store: TableStore) -> list[dict[str, Any]]:
    return sorted(store.read(DISTRIBUTION_EVENTS).to_pylist(), key=lambda row: (row["created_at"], row["event_id"]))


def test_an_approval_is_kept_with_who_when_until_when_and_for_what(filled: TableStore) -> None:
    (found,) = decided(filled)
    kept = metadata(filled)
    assert (found.outcome, found.distribution_id) == ("approved", uuid(1))
    assert (kept["approval_status"], kept["approved_by"], kept["approval_verified"]) == ("approved", "anna", False)
    assert datetime.fromisoformat(kept["approval_at"]) == NOW
    assert datetime.fromisoformat(kept["approval_expires_at"]) == NOW + timedelta(days=30)
    assert len(kept["approval_digest"]) == 64
    assert kept["campaign_name"] == "spring"
    assert one(filled, DISTRIBUTIONS)["status"] == "scheduled"
    assert metadata(filled, 2)["approval_status"] == "pending"


def test_a_rejection_ends_the_distribution_with_its_reason(filled: TableStore) -> None:
    (found,) = decided(filled, NO)
    row = one(filled, DISTRIBUTIONS)
    error = msgspec.json.decode(row["error_details"])
    assert (found.outcome, row["status"]) == ("rejected", "failed")
    assert error["error_code"] == "approval_rejected"
    assert error["error_message"] == "rejected by anna: too broad"
    assert (metadata(filled)["approval_status"], metadata(filled)["approval_reason"]) == ("rejected", "too broad")


def test_each_decision_is_an_event_in_the_month_it_was_made(filled: TableStore) -> None:
    decided(filled, YES, 1)
    decided(filled, NO, 2, at=NOW + timedelta(days=40))
    first, second = events(filled)
    assert (first["from_status"], first["to_status"], first["reason"]) == ("scheduled", "scheduled", "approved")
    assert (second["to_status"], second["reason"], second["actor"]) == ("failed", "approval_rejected", "anna")
    assert msgspec.json.decode(second["evidence"])["approval_reason"] == "too broad"
    assert [each["created_at"].month for each in (first, second)] == [7, 8]


def test_each_decision_is_in_the_audit_log_once_however_often_it_is_made(filled: TableStore) -> None:
    for _ in range(2):
        decided(filled, YES, 1)
        decided(filled, NO, 2)
    found = sorted((row["action"], row["actor"], row["object"]) for row in filled.read(AUDIT_LOG).to_pylist())
    assert found == [("approve", "anna", uuid(1)), ("reject", "anna", uuid(2))]


@pytest.mark.parametrize("decision", [YES, NO], ids=["approved", "rejected"])
def test_the_same_decision_again_changes_nothing(on_files: TableStore, decision: Decision) -> None:
    decided(on_files, decision)
    before = one(on_files, DISTRIBUTIONS), events(on_files)
    (found,) = decided(on_files, decision, at=NOW + timedelta(hours=1))
    assert found.outcome == "unchanged"
    assert (one(on_files, DISTRIBUTIONS), events(on_files)) == before


@pytest.mark.parametrize("decision", [YES, NO], ids=["approved", "rejected"])
def test_an_event_lost_to_a_kill_is_added_by_deciding_again(
    on_files: TableStore, decision: Decision, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(approval, "append", lambda *_: None)
        decided(on_files, decision)
    assert events(on_files) == []
    decided(on_files, decision, at=NOW + timedelta(days=1))
    (event,) = events(on_files)
    assert event["created_at"].replace(tzinfo=UTC) == NOW


@pytest.mark.parametrize(
    ("column", "value", "void"),
    [
        ("segments", json([SEGMENTS[0] | {"name": "Inland"}]), True),
        ("segments", json([SEGMENTS[0] | {"characteristics": {"age": "45-64"}}]), True),
        ("segments", json([SEGMENTS[0] | {"size": 61}]), True),
        ("segments", json([*SEGMENTS, {"segment_id": "s2", "name": "Not asked for", "size": 1}]), False),
        ("description", "Somebody mended a word", False),
        ("metadata", json({"notes": "call them", "tags": ["b"]}), False),
    ],
)
def test_an_approval_is_bound_to_what_is_sent_and_to_nothing_else(
    parquet: TableStore, column: str, value: str, void: bool
) -> None:
    on_files = fill(parquet)
    decided(on_files)
    before = metadata(on_files)["approval_digest"]
    changes: dict[str, Any] = {"segments": json(SEGMENTS), column: value, "updated_at": NOW.replace(tzinfo=None)}
    put(on_files, AUDIENCES, audience(**changes))
    (found,) = decided(on_files, at=NOW + timedelta(hours=1))
    assert found.outcome == ("approved" if void else "unchanged")
    assert (metadata(on_files)["approval_digest"] != before) == void


def test_an_approval_that_ran_out_is_given_anew(on_files: TableStore) -> None:
    decided(on_files)
    (found,) = decided(on_files, at=NOW + timedelta(days=30))
    assert found.outcome == "approved"
    assert [event["reason"] for event in events(on_files)] == ["approved", "approved"]


def test_a_user_needs_the_permission_and_one_who_has_it_is_verified(filled: TableStore) -> None:
    put(filled, USERS, user("anna", permissions=["read"]))
    with pytest.raises(SecurityError, match=r"user anna: found permissions: read, expected approve among them"):
        decided(filled)
    assert metadata(filled)["approval_status"] == "pending"
    put(filled, USERS, user("anna", permissions=["read", "approve"], organization="later"))
    decided(filled)
    assert metadata(filled)["approval_verified"] is True


def test_what_is_not_scheduled_or_not_there_is_refused_and_the_others_are_decided(on_files: TableStore) -> None:
    put(on_files, DISTRIBUTIONS, distribution(3, status="completed"))
    refused, approved, unknown = decided(on_files, YES, 3, 1, 9)
    assert [each.outcome for each in (refused, approved, unknown)] == ["refused", "approved", "refused"]
    assert "it is completed" in refused.note
    assert "no such distribution" in unknown.note


def test_of_two_who_decide_at_once_one_is_told(filled: TableStore, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = approval._planned

    def meanwhile(*arguments: Any) -> Any:  # noqa: ANN401 - handed on
        plan = planned(*arguments)
        monkeypatch.setattr(approval, "_planned", planned)
        assert decided(filled, NO)[0].outcome == "rejected"
        return plan

    monkeypatch.setattr(approval, "_planned", meanwhile)
    (found,) = decided(filled)
    assert (found.outcome, one(filled, DISTRIBUTIONS)["status"]) == ("refused", "failed")
    assert [event["reason"] for event in events(filled)] == ["approval_rejected"]


@pytest.mark.parametrize(
    ("decision", "numbers", "named"),
    [
        (Decision("rejected", "anna"), (1,), "--reason"),
        (Decision("approved", "  "), (1,), "--by"),
        (Decision("rejected", "anna", " "), (1,), "--reason"),
    ],
)
def test_a_decision_says_who_and_a_rejection_why(
    parquet: TableStore, decision: Decision, numbers: tuple[int, ...], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        decided(parquet, decision, *numbers)


def test_nothing_else_may_change_an_approval(on_files: TableStore) -> None:
    decided(on_files)
    put(
        on_files,
        DISTRIBUTIONS,
        distribution(1, metadata=json({"approval_status": "rejected", "updated_at": "2025-07-01T00:00:00Z"})),
    )
    assert metadata(on_files)["approval_status"] == "approved"


def test_events_of_one_change_have_one_id_and_of_others_another(on_files: TableStore) -> None:
    first = journal.Event(uuid(1), "u", NOW, "scheduled", "processing", "a", "b", attempt=1)
    assert (
        first.id == journal.Event(uuid(1), "u", NOW + timedelta(1), "scheduled", "processing", "a", "c", attempt=1).id
    )
    assert first.id != journal.Event(uuid(1), "u", NOW, "scheduled", "processing", "a", "b", attempt=2).id
    assert first.id != journal.Event(uuid(1), "u", NOW, "processing", "completed", "a", "b", attempt=1).id
    assert (
        on_files.transition(DISTRIBUTIONS, [Change(uuid(1), {"status": "completed"}, {"status": "failed"})]).won == ()
    )
