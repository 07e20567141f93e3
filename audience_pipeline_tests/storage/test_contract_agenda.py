"""What is due, and what completed last: both follow from the rows, whatever happened to them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audience_pipeline.storage.contract import Change, Due, TableStore
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, PLATFORMS
from audience_pipeline_tests.storage.builders import (
    JULY,
    JUNE,
    MAY,
    NOW,
    audience,
    distribution,
    json,
    move,
    platform,
    put,
    uuid,
)

LATER = (NOW + timedelta(days=2)).replace(tzinfo=UTC)
PRESENT = NOW.replace(tzinfo=UTC)


def keys(found: list[Due]) -> list[str]:
    return [each.key for each in found]


def look(store: TableStore, at: datetime = PRESENT, *, limit: int = 100, held: bool = False) -> list[str]:
    return keys(store.due(at, limit=limit, held=held))


def engine(store: TableStore, number: int, status: str = "scheduled", **put: object) -> None:
    """Make a change as the engine does; members of the error details are named with an underscore for the dot."""
    named = {name.replace("details_", "error_details.", 1): value for name, value in put.items()}
    result = store.transition(DISTRIBUTIONS, [Change(uuid(number), {}, {"status": status, **named})])
    assert result.won == (uuid(number),)


@pytest.fixture
def scheduled(store: TableStore) -> TableStore:
    """Five distributions: due since May, June and July, tomorrow, and one that completed elsewhere."""
    put(
        store,
        DISTRIBUTIONS,
        distribution(1, created_at=JULY),
        distribution(2, scheduled_at=JUNE),
        distribution(3),
        distribution(4, created_at=JUNE, scheduled_at=NOW + timedelta(days=1)),
        distribution(5, status="completed", executed_at=MAY + timedelta(hours=1), metadata=None),
    )
    return store


def test_the_agenda_follows_every_change_of_the_rows(scheduled: TableStore, subtests: pytest.Subtests) -> None:
    store = scheduled
    with subtests.test("those due longest come first, and what is due later does not come"):
        assert look(store) == [uuid(3), uuid(2), uuid(1)]
        assert look(store, LATER) == [uuid(3), uuid(2), uuid(1), uuid(4)]
        assert look(store, limit=2) == [uuid(3), uuid(2)]
        first = store.due(PRESENT, limit=1)[0]
        assert first == Due(uuid(3), "user123", uuid(1), "scheduled", MAY.replace(tzinfo=UTC))
    with subtests.test("a claim moves a row to the next look at it, and to another status"):
        engine(store, 3, "processing", details_next_attempt_at=NOW + timedelta(hours=1))
        assert look(store) == [uuid(2), uuid(1)]
        assert keys(store.due(LATER, statuses=["processing"], limit=9)) == [uuid(3)]
        assert uuid(3) not in keys(store.due(LATER, statuses=["scheduled"], limit=9))
        assert store.due(LATER, statuses=[], limit=9) == []
    with subtests.test("what is held is looked at later, by whom nobody attends to"):
        engine(store, 2, details_hold="approval_pending", details_look_again_at=NOW + timedelta(hours=1))
        assert look(store) == [uuid(1)]
        assert look(store, held=True) == [uuid(2), uuid(1)]
        assert look(store, NOW.replace(tzinfo=UTC) + timedelta(hours=1)) == [uuid(1), uuid(2), uuid(3)]
    with subtests.test("a new time of the application counts"):
        put(store, DISTRIBUTIONS, distribution(1, created_at=JULY, scheduled_at=NOW + timedelta(days=3)))
        assert look(store) == []
    with subtests.test("what ended is looked at once more if it says so, and then no more"):
        engine(store, 3, "completed", executed_at=NOW, error_details={"look_again_at": NOW})
        assert look(store) == [uuid(3)]
        assert look(store, held=True) == [uuid(2), uuid(3)]
        engine(store, 3, "completed", error_details=None)
        assert look(store) == []
    with subtests.test("what is archived is not on it"):
        engine(store, 3, "completed", error_details={"look_again_at": NOW})
        move(store, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, [uuid(3)], {"archived_at": NOW})
        assert look(store) == []
        move(store, DISTRIBUTIONS_ARCHIVE, DISTRIBUTIONS, [uuid(3)], {})
        assert look(store) == [uuid(3)]


def test_pairs_tell_what_completed_last_and_how_many_are_open(scheduled: TableStore, subtests: pytest.Subtests) -> None:
    store = scheduled
    with subtests.test("landed history counts"):
        (pair,) = store.pairs([uuid(1)])
        completed_at = (MAY + timedelta(hours=1)).replace(tzinfo=UTC)
        assert pair == (uuid(1), uuid(1), uuid(5), completed_at, 4)
    with subtests.test("pairs are found by platform and audience"):
        assert store.pairs([uuid(2)]) == []
        assert store.pairs([uuid(1)], [uuid(2)]) == []
        assert store.pairs([uuid(1), uuid(2)], [uuid(1)]) == [pair]
    with subtests.test("the latest counts, of two at one moment the greater key, also once they are archived"):
        engine(store, 1, "completed", executed_at=NOW)
        engine(store, 2, "completed", executed_at=NOW)
        assert store.pairs([uuid(1)])[0][2:] == (uuid(2), PRESENT, 2)
        move(store, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, [uuid(1), uuid(2)], {"archived_at": NOW})
        assert store.pairs([uuid(1)])[0][2:] == (uuid(2), PRESENT, 2)
    with subtests.test("one without a time counts from when it was asked for"):
        put(store, DISTRIBUTIONS, distribution(6, audience_id=uuid(2), created_at=JUNE, status="completed"))
        assert store.pairs([uuid(1)], [uuid(2)]) == [(uuid(2), uuid(1), uuid(6), JUNE.replace(tzinfo=UTC), 0)]


def test_a_lost_state_is_rebuilt_with_the_same_agenda_and_pairs(root: Path) -> None:
    with ParquetStore(root, clock=lambda: PRESENT) as store:
        rows = [distribution(number, status="completed", created_at=JUNE, executed_at=JULY) for number in range(1, 9)]
        put(store, DISTRIBUTIONS, *rows, *(distribution(number) for number in range(10, 20)))
        move(store, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, [uuid(8)], {"archived_at": NOW})
        engine(store, 12, "processing", details_next_attempt_at=JULY)
        before = store.due(LATER, limit=99), store.pairs([uuid(1)])
        assert len(before[0]) == 10
    for path in (root / "_state").glob("store.sqlite*"):
        path.unlink()
    with ParquetStore(root, clock=lambda: PRESENT) as store:
        assert (store.due(LATER, limit=99), store.pairs([uuid(1)])) == before


def test_an_agenda_that_disagrees_with_the_files_is_found_and_mended(root: Path) -> None:
    with ParquetStore(root, clock=lambda: PRESENT) as store:
        put(store, AUDIENCES, audience())
        put(store, PLATFORMS, platform())
        put(store, DISTRIBUTIONS, distribution(1), distribution(2))
        before = store.due(LATER, limit=99)
        with store._core.state.transaction() as db:
            db.execute("UPDATE agenda SET look_at = look_at + 1")
        (found,) = store.verify()
        assert (found.kind, found.repaired) == ("agenda", False)
        assert store.verify(repair=True)[0].repaired
        assert store.due(LATER, limit=99) == before
        assert store.verify() == []


def test_a_state_of_an_earlier_format_is_rebuilt(root: Path) -> None:
    with ParquetStore(root, clock=lambda: PRESENT) as store:
        put(store, DISTRIBUTIONS, distribution(1, metadata=json({"campaign_name": "x"})))
        with store._core.state.transaction() as db:
            db.execute("DROP TABLE agenda")
            db.execute("UPDATE meta SET value = 1 WHERE name = 'format'")
    with ParquetStore(root, clock=lambda: PRESENT) as store:
        assert look(store) == [uuid(1)]
