"""The contract of move: between a live table and its archive, and back, one row a key all the while."""

import pytest

from audience_pipeline.errors import PipelineError, UsageError
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, PLATFORMS
from audience_pipeline.tables.arrow import arrow_schema
from audience_pipeline_tests.storage.builders import JUNE, NOW, distribution, one, put, stored, uuid

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
    return set(store.move(DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, keys, ARCHIVED).moved)


def restore(store: TableStore, *numbers: int) -> set[str]:
    keys = [uuid(number) for number in numbers]
    return set(store.move(DISTRIBUTIONS_ARCHIVE, DISTRIBUTIONS, keys, {}).moved)


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


def test_keys_that_are_not_in_the_source_are_left_with_the_reason(ended: TableStore) -> None:
    archive(ended, 1)
    result = ended.move(DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, [uuid(1), uuid(2), uuid(99)], ARCHIVED)
    assert result.moved == (uuid(2),)
    assert set(result.left) == {uuid(1), uuid(99)}
    assert all("distributions" in reason for reason in result.left.values())


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


@pytest.mark.parametrize("target", [AUDIENCES, PLATFORMS, DISTRIBUTIONS], ids=lambda table: table.name)
def test_only_a_table_and_its_archive_exchange_rows(ended: TableStore, target: object) -> None:
    with pytest.raises(UsageError, match="archive"):
        ended.move(DISTRIBUTIONS, target, [uuid(1)], {})  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [{}, {"status": "scheduled", **ARCHIVED}, {"nothing": 1}], ids=str)
def test_what_is_put_must_be_what_only_the_target_has(ended: TableStore, values: dict[str, object]) -> None:
    before = stored(ended, DISTRIBUTIONS)
    with pytest.raises(PipelineError):
        ended.move(DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, [uuid(1)], values)
    assert stored(ended, DISTRIBUTIONS) == before
    assert stored(ended, DISTRIBUTIONS_ARCHIVE) == {}
