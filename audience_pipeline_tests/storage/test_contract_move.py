"""The contract of copy and remove: between a live table and its archive, and back, a key lives in one all the while."""

import pyarrow as pa
import pytest

from audience_pipeline.errors import RefusedError, UsageError
from audience_pipeline.storage.contract import Change, MoveResult, Query, TableStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, PLATFORMS, Table
from audience_pipeline.tables.arrow import arrow_schema
from audience_pipeline_tests.storage.builders import (
    JUNE,
    NOW,
    archived_form,
    distribution,
    move,
    one,
    put,
    stored,
    uuid,
)

ARCHIVED = {"archived_at": NOW}


@pytest.fixture
def ended(store: TableStore) -> TableStore:
    """Three ended distributions in two months, and one of another user."""
    rows = [distribution(number, status="completed", executed_at=JUNE) for number in (1, 2)]
    june = distribution(3, status="failed", created_at=JUNE)
    put(store, DISTRIBUTIONS, *rows, june, distribution(4, user_id="other", status="failed"))
    return store


def archive(store: TableStore, *numbers: int) -> set[str]:
    keys = [uuid(number) for number in numbers]
    return set(move(store, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, keys, ARCHIVED).moved)


def restore(store: TableStore, *numbers: int) -> set[str]:
    keys = [uuid(number) for number in numbers]
    return set(move(store, DISTRIBUTIONS_ARCHIVE, DISTRIBUTIONS, keys, {}).moved)


def copy(store: TableStore, number: int) -> MoveResult:
    return store.copy(DISTRIBUTIONS_ARCHIVE, archived_form(store, [uuid(number)]))


def test_a_moved_row_is_in_the_target_alone_with_all_its_values(ended: TableStore) -> None:
    before = one(ended, DISTRIBUTIONS)
    assert archive(ended, 1) == {uuid(1)}
    assert set(stored(ended, DISTRIBUTIONS)) == {uuid(2), uuid(3), uuid(4)}
    assert stored(ended, DISTRIBUTIONS_ARCHIVE) == {uuid(1): before | ARCHIVED}
    assert ended.get(DISTRIBUTIONS, [uuid(1)]).num_rows == 0
    assert one(ended, DISTRIBUTIONS_ARCHIVE) == before | ARCHIVED


def test_rows_of_several_users_and_months_move_at_once(ended: TableStore) -> None:
    assert archive(ended, 1, 3, 4) == {uuid(1), uuid(3), uuid(4)}
    assert set(stored(ended, DISTRIBUTIONS)) == {uuid(2)}
    assert set(stored(ended, DISTRIBUTIONS_ARCHIVE)) == {uuid(1), uuid(3), uuid(4)}


def test_moving_back_gives_the_table_there_was(ended: TableStore) -> None:
    before = ended.digests(DISTRIBUTIONS)
    archive(ended, 1, 2, 3, 4)
    assert ended.digests(DISTRIBUTIONS) == {}
    assert restore(ended, 1, 2, 3, 4) == {uuid(1), uuid(2), uuid(3), uuid(4)}
    assert ended.digests(DISTRIBUTIONS) == before
    assert ended.digests(DISTRIBUTIONS_ARCHIVE) == {}


def test_a_restored_row_takes_replays_again(ended: TableStore) -> None:
    archive(ended, 1)
    restore(ended, 1)
    placement = ended.placements(DISTRIBUTIONS, [uuid(1)])[uuid(1)]
    assert (placement.placed, placement.archived) == (True, False)
    put(ended, DISTRIBUTIONS, distribution(1))


def test_a_second_archival_joins_the_first_in_its_month(ended: TableStore) -> None:
    archive(ended, 1)
    archive(ended, 2)
    assert set(stored(ended, DISTRIBUTIONS_ARCHIVE)) == {uuid(1), uuid(2)}


def test_a_copied_row_is_in_both_tables_and_lives_where_it_was(ended: TableStore) -> None:
    before = one(ended, DISTRIBUTIONS)
    assert copy(ended, 1).moved == (uuid(1),)
    assert ended.get(DISTRIBUTIONS, [uuid(1)]).num_rows == 1
    assert stored(ended, DISTRIBUTIONS_ARCHIVE) == {uuid(1): before | ARCHIVED}
    assert not ended.placements(DISTRIBUTIONS, [uuid(1)])[uuid(1)].archived
    assert {finding.kind for finding in ended.verify()} <= {"reference"}


def test_a_row_without_a_copy_is_not_removed(ended: TableStore) -> None:
    result = ended.remove(DISTRIBUTIONS, [uuid(1), uuid(99)])
    assert result.moved == ()
    assert set(result.left) == {uuid(1), uuid(99)}
    assert uuid(1) in stored(ended, DISTRIBUTIONS)


def test_a_row_that_changed_since_it_was_copied_stays_until_it_is_copied_again(ended: TableStore) -> None:
    copy(ended, 3)
    change = Change(uuid(3), {"status": "failed"}, {"status": "scheduled"})
    assert ended.transition(DISTRIBUTIONS, [change]).won == (uuid(3),)
    assert ended.remove(DISTRIBUTIONS, [uuid(3)]).moved == ()
    copy(ended, 3)
    assert stored(ended, DISTRIBUTIONS_ARCHIVE)[uuid(3)]["status"] == "scheduled"
    assert ended.remove(DISTRIBUTIONS, [uuid(3)]).moved == (uuid(3),)
    assert ended.placements(DISTRIBUTIONS, [uuid(3)])[uuid(3)].archived


def test_a_copy_in_the_archive_never_replaces_what_lives_there(ended: TableStore) -> None:
    rows = archived_form(ended, [uuid(1)])
    archive(ended, 1)
    before = stored(ended, DISTRIBUTIONS_ARCHIVE)
    assert ended.copy(DISTRIBUTIONS_ARCHIVE, rows).moved == ()
    assert stored(ended, DISTRIBUTIONS_ARCHIVE) == before


def test_an_old_copy_never_replaces_a_live_row(ended: TableStore) -> None:
    rows = archived_form(ended, [uuid(3)])
    copy(ended, 3)
    ended.transition(DISTRIBUTIONS, [Change(uuid(3), {"status": "failed"}, {"status": "scheduled"})])
    assert ended.copy(DISTRIBUTIONS, rows.drop_columns("archived_at")).moved == ()
    assert stored(ended, DISTRIBUTIONS)[uuid(3)]["status"] == "scheduled"


def test_what_lives_in_the_archive_is_not_removed_from_it(ended: TableStore) -> None:
    archive(ended, 1)
    assert ended.remove(DISTRIBUTIONS_ARCHIVE, [uuid(1)]).moved == ()
    assert uuid(1) in stored(ended, DISTRIBUTIONS_ARCHIVE)


def test_a_row_of_another_user_or_month_is_not_copied(ended: TableStore) -> None:
    rows = archived_form(ended, [uuid(1)])
    strangers = pa.Table.from_pylist([{**rows.to_pylist()[0], "user_id": "other"}], schema=rows.schema)
    moved = pa.Table.from_pylist([{**rows.to_pylist()[0], "created_at": JUNE}], schema=rows.schema)
    for wrong in (strangers, moved):
        assert ended.copy(DISTRIBUTIONS_ARCHIVE, wrong).moved == ()
    assert stored(ended, DISTRIBUTIONS_ARCHIVE) == {}


def test_homes_are_the_users_and_months_that_have_rows(ended: TableStore) -> None:
    assert ended.homes(DISTRIBUTIONS) == [("other", 202505, 1), ("user123", 202505, 2), ("user123", 202506, 1)]
    assert ended.homes(DISTRIBUTIONS, (202506, 202512)) == [("user123", 202506, 1)]
    archive(ended, 1, 2)
    assert ended.homes(DISTRIBUTIONS) == [("other", 202505, 1), ("user123", 202506, 1)]
    assert ended.homes(DISTRIBUTIONS_ARCHIVE) == [("user123", 202505, 2)]


def test_a_read_may_ask_for_several_users(ended: TableStore) -> None:
    read = ended.read(DISTRIBUTIONS, Query(user_ids=["other", "nobody"]))
    assert read.column("distribution_id").to_pylist() == [uuid(4)]
    assert ended.read(DISTRIBUTIONS, Query(user_ids=["other", "user123"], months=(202506, 202506))).num_rows == 1
    assert ended.read(DISTRIBUTIONS, Query(user_id="user123", user_ids=["other"])).num_rows == 0


def test_placements_and_counts_cover_the_archive(ended: TableStore) -> None:
    before = ended.inserted_in_month(DISTRIBUTIONS, "user123", 202508)
    archive(ended, 1)
    placement = ended.placements(DISTRIBUTIONS, [uuid(1)])[uuid(1)]
    assert (placement.user_id, placement.month, placement.archived) == ("user123", 202505, True)
    assert ended.inserted_in_month(DISTRIBUTIONS, "user123", 202508) == before


def test_an_emptied_month_reads_empty_and_typed(ended: TableStore) -> None:
    archive(ended, 1, 2, 3, 4)
    rows = ended.read(DISTRIBUTIONS)
    assert (rows.num_rows, rows.schema) == (0, arrow_schema(DISTRIBUTIONS))


@pytest.mark.parametrize("table", [AUDIENCES, PLATFORMS], ids=lambda table: table.name)
def test_only_a_table_and_its_archive_exchange_rows(ended: TableStore, table: Table) -> None:
    with pytest.raises(UsageError, match="archive"):
        ended.copy(table, ended.read(table))
    with pytest.raises(UsageError, match="archive"):
        ended.remove(table, [uuid(1)])


def test_what_is_copied_must_be_what_the_table_declares(ended: TableStore) -> None:
    rows = archived_form(ended, [uuid(1)])
    for wrong in (rows.drop_columns("archived_at"), rows.append_column("nothing", rows.column("user_id"))):
        with pytest.raises(RefusedError):
            ended.copy(DISTRIBUTIONS_ARCHIVE, wrong)
    assert stored(ended, DISTRIBUTIONS_ARCHIVE) == {}
