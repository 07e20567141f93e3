"""Restoring: archived rows come back until a moment, and go again after it."""

from datetime import timedelta

import msgspec
import pytest

from audience_pipeline.errors import UsageError
from audience_pipeline.tables import AUDIT_LOG, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE
from audience_pipeline_tests.retention.attic import ANN, BOB, NOW, Attic, ended, ids, outcomes
from audience_pipeline_tests.storage.builders import put, reference, stored, uuid


@pytest.fixture
def full(anywhere: Attic) -> Attic:
    """Five archived distributions of two users and months, and a live one."""
    anywhere.put(*(ended(n) for n in (1, 2)), ended(3, timedelta(days=140)), *(ended(n, user=BOB) for n in (4, 5)))
    anywhere.put(ended(6, timedelta(days=5)))
    anywhere.through()
    assert (anywhere.live, anywhere.archived) == (ids(6), ids(1, 2, 3, 4, 5))
    return anywhere


def test_a_restored_row_is_live_as_it_was(full: Attic) -> None:
    before = stored(full.store, DISTRIBUTIONS_ARCHIVE)[uuid(1)]
    assert outcomes(full.restore(1)) == {uuid(1): "restored"}
    assert full.live == ids(1, 6)
    assert stored(full.store, DISTRIBUTIONS)[uuid(1)] == {k: v for k, v in before.items() if k != "archived_at"}
    assert not full.store.placements(DISTRIBUTIONS, [uuid(1)])[uuid(1)].archived
    assert full.verified() == []


def test_the_audit_log_tells_each_tenant_what_was_restored(full: Attic) -> None:
    full.restore(1, 2, 4)
    found = {row["user_id"]: row for row in full.store.read(AUDIT_LOG).to_pylist()}
    assert {user: row["action"] for user, row in found.items()} == {ANN: "restore", BOB: "restore"}
    assert msgspec.json.decode(found[ANN]["details"])["distribution_ids"] == sorted(ids(1, 2))
    assert found[BOB]["object"] == "distributions of 2025-04"


def test_its_copy_leaves_the_archive_once_readers_had_their_grace(full: Attic) -> None:
    full.restore(1)
    assert (full.archive().dropped, full.archived) == (0, ids(1, 2, 3, 4, 5))
    full.clock.pass_by(minutes=61)
    result = full.archive()
    assert (result.dropped, result.kept, full.archived, full.live) == (1, 1, ids(2, 3, 4, 5), ids(1, 6))
    assert full.verified() == []


def test_it_is_archived_again_after_its_time(full: Attic) -> None:
    full.restore(1, until=full.clock.now + timedelta(days=2))
    full.clock.pass_by(days=1)
    full.archive()
    assert full.live == ids(1, 6)
    full.clock.pass_by(days=1)
    full.through()
    assert (full.live, full.archived) == (ids(6), ids(1, 2, 3, 4, 5))
    assert full.verified() == []


def test_a_month_comes_back_of_all_users_or_of_one(full: Attic) -> None:
    month = 202504
    assert outcomes(full.restoring().month(month, ANN)) == dict.fromkeys(ids(1, 2), "restored")
    assert outcomes(full.restoring().month(month)) == {
        **dict.fromkeys(ids(1, 2), "extended"),
        **dict.fromkeys(ids(4, 5), "restored"),
    }
    assert full.live == ids(1, 2, 4, 5, 6)
    assert outcomes(full.restoring().month(202301)) == {}


def test_what_is_not_archived_is_refused_and_the_rest_restored(full: Attic) -> None:
    found = full.restore(6, 1, 99)
    assert outcomes(found) == {uuid(6): "refused", uuid(1): "restored", uuid(99): "refused"}
    assert {each.why for each in found if each.outcome == "refused"} == {
        "it is not archived",
        "there is no such distribution",
    }


def test_a_row_that_refers_to_another_tenants_audience_stays_archived_and_reads_like_one_of_none(full: Attic) -> None:
    foreign, absent = (ended(7, audience_id=uuid(reference(BOB))), ended(8, audience_id=uuid(404)))
    put(full.store, DISTRIBUTIONS, foreign, absent)
    full.through()
    found = {each.distribution_id: each for each in full.restore(1, 7, 8)}
    assert {key: each.outcome for key, each in found.items()} == {
        uuid(1): "restored",
        uuid(7): "refused",
        uuid(8): "refused",
    }
    assert found[uuid(7)].why == found[uuid(8)].why
    assert full.live == ids(1, 6)
    assert all(uuid(7) not in entry["details"] for entry in stored(full.store, AUDIT_LOG).values())


def test_a_second_restore_says_until_when(full: Attic) -> None:
    full.restore(1, until=full.clock.now + timedelta(days=1))
    full.restore(1, until=full.clock.now + timedelta(days=20))
    full.clock.pass_by(days=10)
    full.archive()
    assert uuid(1) in full.live


def test_a_moment_that_has_passed_is_refused(full: Attic) -> None:
    with pytest.raises(UsageError, match="--until"):
        full.restore(1, until=NOW - timedelta(days=1))


def test_a_restored_row_may_change_and_its_old_copy_is_replaced(full: Attic) -> None:
    full.restore(1, until=full.clock.now + timedelta(hours=2))
    full.fail_again(1, "scheduled")
    full.clock.pass_by(hours=3)
    assert full.archive().open == 1
    assert stored(full.store, DISTRIBUTIONS)[uuid(1)]["status"] == "scheduled"
    assert full.verified() == []
