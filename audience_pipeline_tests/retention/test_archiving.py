"""Archiving: what is old and has ended leaves in two phases, by row, and everything else stays."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from audience_pipeline.settings import load_settings
from audience_pipeline.storage.contract import Change
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, PLATFORMS
from audience_pipeline_tests.retention.attic import ANN, BOB, NOW, Attic, ended, ids
from audience_pipeline_tests.storage.builders import frame, stored, uuid

JUST = timedelta(milliseconds=1)
OLD = timedelta(days=90)


def test_rows_are_copied_first_and_leave_once_readers_had_their_grace(attic: Attic) -> None:
    attic.put(ended(1), ended(2, user=BOB), ended(3, timedelta(days=10)))
    before = stored(attic.store, DISTRIBUTIONS)
    first = attic.archive()
    assert (first.copied, first.removed, attic.live, attic.archived) == (2, 0, ids(1, 2, 3), ids(1, 2))
    attic.clock.pass_by(minutes=59)
    early = attic.archive()
    assert (early.copied, early.removed, early.waiting, attic.live) == (0, 0, 2, ids(1, 2, 3))
    attic.clock.pass_by(minutes=2)
    last = attic.archive()
    assert (last.copied, last.removed, attic.live, attic.archived) == (0, 2, ids(3), ids(1, 2))
    rows = stored(attic.store, DISTRIBUTIONS_ARCHIVE)
    assert {key: row | {"archived_at": None} for key, row in rows.items()} == {
        key: before[key] | {"archived_at": None} for key in ids(1, 2)
    }
    assert {row["archived_at"].replace(tzinfo=UTC) for row in rows.values()} == {NOW}
    assert attic.verified() == []
    assert attic.archive().copied == 0


def test_the_manifest_says_what_was_done_by_whom(anywhere: Attic) -> None:
    anywhere.put(ended(1), ended(2))
    anywhere.through()
    assert anywhere.steps == [("copying", ANN, 2), ("copied", ANN, 2), ("removed", ANN, 2)]


def test_a_row_exactly_at_the_cut_off_stays_and_one_before_it_goes(anywhere: Attic) -> None:
    anywhere.put(ended(1, OLD), ended(2, OLD + JUST), ended(3, OLD - JUST))
    anywhere.through()
    # The hour of grace made rows of that hour old, too; the second run copied them.
    assert anywhere.live & ids(2) == set()
    assert anywhere.live >= ids(1, 3)


def test_what_has_not_ended_stays_and_is_reported(anywhere: Attic) -> None:
    anywhere.put(
        ended(1, status="scheduled"), ended(2), ended(3, status="completed", executed_at=NOW.replace(tzinfo=None))
    )
    result = anywhere.archive()
    assert (result.open, result.copied) == (1, 2)
    anywhere.clock.pass_by(minutes=61)
    anywhere.archive()
    assert anywhere.live == ids(1)


def test_a_row_that_changed_since_it_was_copied_is_copied_again(anywhere: Attic) -> None:
    anywhere.put(ended(1), ended(2))
    anywhere.archive()
    anywhere.fail_again(1, "scheduled")
    anywhere.clock.pass_by(hours=2)
    result = anywhere.archive()
    assert (result.removed, result.open, anywhere.live) == (1, 1, ids(1))
    anywhere.store.transition(DISTRIBUTIONS, [change_to_failed(1)])
    again = anywhere.archive()
    assert (again.copied, again.removed) == (1, 0)
    anywhere.clock.pass_by(minutes=61)
    assert anywhere.archive().removed == 1
    assert stored(anywhere.store, DISTRIBUTIONS_ARCHIVE)[uuid(1)]["error_details"] is not None
    assert anywhere.verified() == []


def change_to_failed(number: int) -> Change:
    put_ = {"status": "failed", "error_details": {"error_message": "late"}}
    return Change(uuid(number), {"status": "scheduled"}, put_)


def test_the_month_on_the_boundary_is_split_day_by_day(anywhere: Attic) -> None:
    anywhere.put(*(ended(number, timedelta(days=80 + number)) for number in range(1, 21)))
    anywhere.settings = load_settings(reader_grace_minutes=0)
    for _ in range(12):
        anywhere.archive()
        left = {uuid(n) for n in range(1, 21) if NOW - timedelta(days=80 + n) >= anywhere.clock.now - OLD}
        assert (anywhere.live, anywhere.archived) == (left, {uuid(n) for n in range(1, 21)} - left)
        assert anywhere.verified() == []
        anywhere.clock.pass_by(days=1)
    assert anywhere.live == set()


@pytest.mark.parametrize(
    "now", ["2024-05-29T00:00:00", "2024-05-30T12:00:00", "2025-03-31T23:59:59.999", "2026-01-01T00:00:00"]
)
def test_leap_days_and_ends_of_months_and_years_are_days_like_others(on_files: Attic, now: str) -> None:
    on_files.clock.now = datetime.fromisoformat(now).replace(tzinfo=UTC)
    cut_off = on_files.clock.now - OLD
    ages = [on_files.clock.now - moment for moment in (cut_off - JUST, cut_off, cut_off + JUST)]
    rows = [
        ended(n, status="failed") | {"created_at": (on_files.clock.now - age).replace(tzinfo=None)}
        for n, age in enumerate(ages)
    ]
    on_files.put(*rows)
    assert on_files.archive().copied == 1
    assert on_files.archived == ids(0)


def test_a_cut_off_in_another_zone_is_the_same_instant(on_files: Attic) -> None:
    on_files.put(ended(1, OLD + JUST), ended(2, OLD))
    assert on_files.archive(as_of=NOW.astimezone(timezone(timedelta(hours=14)))).copied == 1
    assert on_files.archived == ids(1)


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(anywhere: Attic) -> None:
    anywhere.put(ended(1), ended(2, timedelta(days=80)))
    assert anywhere.archive(dry_run=True).copied == 1
    later = anywhere.archive(dry_run=True, as_of=NOW + timedelta(days=11))
    assert later.copied == 2
    assert (anywhere.archived, anywhere.steps) == (set(), [])
    anywhere.archive()
    anywhere.clock.pass_by(minutes=61)
    assert anywhere.archive(dry_run=True).removed == 1
    assert anywhere.live == ids(1, 2)


def test_nothing_but_distributions_is_archived(anywhere: Attic) -> None:
    anywhere.put(ended(1, timedelta(days=1000)))
    before = [stored(anywhere.store, table) for table in (AUDIENCES, PLATFORMS)]
    anywhere.through()
    assert [stored(anywhere.store, table) for table in (AUDIENCES, PLATFORMS)] == before


def test_a_landed_record_of_an_archived_key_is_refused_naming_restore(anywhere: Attic) -> None:
    anywhere.put(ended(1))
    anywhere.through()
    (refusal,) = anywhere.store.upsert(
        DISTRIBUTIONS, frame(DISTRIBUTIONS, [ended(1, segments_distributed=["s9"])])
    ).refused
    assert (refusal.problem.code, "restore" in refusal.problem.remedy) == ("archived", True)


def test_old_rows_of_many_users_and_months_go_in_bounded_batches(
    on_files: Attic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audience_pipeline.retention.batches.HOMES_AT_ONCE", 3)
    rows = [ended(n, timedelta(days=100 + 20 * (n % 5)), user=f"user-{n % 7}") for n in range(60)]
    on_files.put(*rows)
    on_files.through()
    assert (on_files.live, len(on_files.archived)) == (set(), 60)
    assert on_files.verified() == []
