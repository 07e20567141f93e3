"""The contract of upsert: what is inserted, updated, unchanged and stale, and which of two records wins."""

from datetime import datetime, timedelta

import pyarrow as pa
import pytest

from audience_pipeline.storage.contract import TableStore, UpsertResult, Verdict
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, PLATFORMS, STORED, USERS, Table
from audience_pipeline.tables.arrow import arrow_schema
from audience_pipeline_tests.storage.builders import (
    JUNE,
    MAY,
    Row,
    audience,
    distribution,
    frame,
    full_audience,
    json,
    one,
    platform,
    put,
    sealed,
    stored,
    user,
    uuid,
)

SECOND = timedelta(seconds=1)


def counts(result: UpsertResult) -> tuple[int, int, int, int, int]:
    return result.inserted, result.updated, result.unchanged, result.stale, len(result.refused)


def upsert(store: TableStore, table: Table, *rows: Row) -> tuple[int, int, int, int, int]:
    return counts(store.upsert(table, frame(table, rows)))


def test_new_rows_are_inserted_and_read_back_as_given(store: TableStore) -> None:
    row = full_audience()
    assert upsert(store, AUDIENCES, row) == (1, 0, 0, 0, 0)
    assert one(store) == row


def test_the_same_rows_again_are_unchanged(store: TableStore) -> None:
    rows = [full_audience(number) for number in range(5)]
    put(store, AUDIENCES, *rows)
    before = store.digests(AUDIENCES)
    assert upsert(store, AUDIENCES, *rows) == (0, 0, 5, 0, 0)
    assert store.digests(AUDIENCES) == before


def test_each_row_of_a_batch_is_counted_once(store: TableStore) -> None:
    put(store, AUDIENCES, *(audience(number, updated_at=MAY + SECOND) for number in range(4)))
    result = upsert(
        store,
        AUDIENCES,
        audience(0, updated_at=MAY + SECOND),
        audience(1, updated_at=MAY, name="older"),
        audience(2, updated_at=MAY + 2 * SECOND, name="newer"),
        audience(3, user_id="someone else"),
        audience(4),
    )
    assert result == (1, 1, 1, 1, 1)


def test_months_name_those_that_were_rewritten(store: TableStore) -> None:
    first = store.upsert(AUDIENCES, frame(AUDIENCES, [audience(1), audience(2, created_at=JUNE)]))
    again = store.upsert(AUDIENCES, frame(AUDIENCES, [audience(1, name="b", updated_at=JUNE)]))
    assert first.months == {202505, 202506}
    assert again.months == {202505}


def test_the_newer_version_wins_in_either_order(store: TableStore) -> None:
    old, new = audience(name="old"), audience(name="new", updated_at=MAY + SECOND)
    put(store, AUDIENCES, old)
    assert upsert(store, AUDIENCES, new) == (0, 1, 0, 0, 0)
    assert upsert(store, AUDIENCES, old) == (0, 0, 0, 1, 0)
    assert one(store)["name"] == "new"


def test_the_newest_of_one_batch_wins_and_the_others_are_stale(store: TableStore) -> None:
    versions = [audience(name=str(step), updated_at=MAY + step * SECOND) for step in (2, 3, 1)]
    assert upsert(store, AUDIENCES, *versions) == (1, 0, 0, 2, 0)
    assert one(store)["name"] == "3"


def test_the_same_record_twice_in_one_batch_is_stored_once(store: TableStore) -> None:
    assert upsert(store, AUDIENCES, audience(), audience()) == (1, 0, 1, 0, 0)
    assert len(stored(store)) == 1


def test_a_tie_is_settled_alike_whichever_comes_first(store: TableStore) -> None:
    rivals = [[audience(number, name="a"), audience(number, name="b")] for number in range(8)]
    for pair in rivals[:4]:
        put(store, AUDIENCES, pair[0])
        put(store, AUDIENCES, pair[1])
    winners = {number: one(store, number=number)["name"] for number in range(4)}
    for number in range(4):
        put(store, AUDIENCES, audience(number, name="a"))
        assert one(store, number=number)["name"] == winners[number]
    put(store, AUDIENCES, *(row for pair in rivals[4:] for row in pair))
    forwards = {number: one(store, number=number)["name"] for number in range(4, 8)}
    put(store, AUDIENCES, *(row for pair in rivals[4:] for row in reversed(pair)))
    assert {number: one(store, number=number)["name"] for number in range(4, 8)} == forwards


def test_a_record_with_a_version_beats_one_without(store: TableStore) -> None:
    with_version = distribution(metadata=json({"updated_at": "2025-05-04T00:00:00Z", "campaign_name": "versioned"}))
    without = distribution(metadata=json({"campaign_name": "later"}))
    put(store, DISTRIBUTIONS, with_version)
    assert upsert(store, DISTRIBUTIONS, without) == (0, 0, 0, 1, 0)
    put(store, DISTRIBUTIONS, without | {"distribution_id": uuid(2)})
    assert upsert(store, DISTRIBUTIONS, with_version | {"distribution_id": uuid(2)}) == (0, 1, 0, 0, 0)


def test_of_two_metadata_versions_the_later_moment_wins_whatever_its_offset(store: TableStore) -> None:
    noon = distribution(metadata=json({"updated_at": "2025-05-04T12:00:00Z", "campaign_name": "noon"}))
    east = distribution(metadata=json({"updated_at": "2025-05-04T13:30:00.5+02:00", "campaign_name": "11:30"}))
    put(store, DISTRIBUTIONS, noon)
    assert upsert(store, DISTRIBUTIONS, east) == (0, 0, 0, 1, 0)


def test_without_versions_the_record_landed_last_wins(store: TableStore) -> None:
    first = user(organization="first", landed_position=10)
    second = user(organization="second", landed_position=20)
    put(store, USERS, second)
    assert upsert(store, USERS, first) == (0, 0, 0, 1, 0)
    assert upsert(store, USERS, user(organization="third", landed_position=30)) == (0, 1, 0, 0, 0)
    assert stored(store, USERS)["user123"]["organization"] == "third"


def test_rows_that_did_not_land_come_after_those_that_did(store: TableStore) -> None:
    put(store, USERS, user(organization="landed", landed_position=1))
    assert upsert(store, USERS, user(organization="direct")) == (0, 1, 0, 0, 0)
    assert upsert(store, USERS, user(organization="again")) == (0, 1, 0, 0, 0)


def test_landing_the_same_content_later_counts_as_its_newest_landing(store: TableStore) -> None:
    put(store, USERS, user(organization="a", landed_position=10))
    assert upsert(store, USERS, user(organization="a", landed_position=30)) == (0, 0, 1, 0, 0)
    assert upsert(store, USERS, user(organization="b", landed_position=20)) == (0, 0, 0, 1, 0)


def test_times_are_cut_to_milliseconds_before_they_are_compared(store: TableStore) -> None:
    exact = MAY.replace(microsecond=456_000)
    schema = pa.schema(
        [
            field.with_type(pa.timestamp("us")) if pa.types.is_timestamp(field.type) else field
            for field in arrow_schema(AUDIENCES)
        ]
    )
    finer = pa.Table.from_pylist([audience(updated_at=exact.replace(microsecond=456_999))], schema=schema)
    put(store, AUDIENCES, audience(updated_at=exact))
    assert counts(store.upsert(AUDIENCES, finer)) == (0, 0, 1, 0, 0)


def test_times_with_a_zone_are_stored_in_utc(store: TableStore) -> None:
    rows = frame(AUDIENCES, [audience()])
    instant = pa.array([MAY], pa.timestamp("ms")).cast(pa.int64())
    zoned = instant.cast(pa.timestamp("ms", "Asia/Kolkata"))
    rows = rows.set_column(rows.column_names.index("updated_at"), "updated_at", zoned)
    assert counts(store.upsert(AUDIENCES, rows)) == (1, 0, 0, 0, 0)
    assert one(store)["updated_at"] == MAY


def test_uuids_are_one_key_in_either_case(store: TableStore) -> None:
    put(store, AUDIENCES, audience(255))
    assert upsert(store, AUDIENCES, audience(255, audience_id=uuid(255).upper())) == (0, 0, 1, 0, 0)


def test_json_is_compared_by_what_it_says(store: TableStore) -> None:
    put(store, AUDIENCES, audience(metadata='{"tags": ["a"], "campaign_id": "c"}'))
    same = audience(metadata='{"notes":null,"campaign_id":"c","tags":["a"]}')
    assert upsert(store, AUDIENCES, same) == (0, 0, 1, 0, 0)
    assert one(store)["metadata"] == '{"campaign_id":"c","tags":["a"]}'


def test_an_absent_array_is_an_empty_one(store: TableStore) -> None:
    put(store, AUDIENCES, audience(1), audience(2, selected_variables=None), audience(3, selected_variables=[]))
    assert [row["selected_variables"] for row in stored(store).values()] == [[], [], []]
    assert upsert(store, AUDIENCES, audience(1, selected_variables=[])) == (0, 0, 1, 0, 0)


def test_credentials_sealed_anew_are_unchanged_and_other_ones_an_update(store: TableStore) -> None:
    row = platform()
    put(store, PLATFORMS, row | {"credentials": sealed(row, "key 1")})
    assert upsert(store, PLATFORMS, row | {"credentials": sealed(row, "key 1")}) == (0, 0, 1, 0, 0)
    newer = row | {"credentials": sealed(row, "key 2"), "updated_at": JUNE}
    assert upsert(store, PLATFORMS, newer) == (0, 1, 0, 0, 0)


@pytest.mark.parametrize("table", STORED, ids=lambda table: table.name)
def test_an_empty_frame_changes_nothing(store: TableStore, table: Table) -> None:
    assert counts(store.upsert(table, arrow_schema(table).empty_table())) == (0, 0, 0, 0, 0)
    assert store.read(table).schema == arrow_schema(table)


def test_the_columns_of_a_frame_may_come_in_any_order(store: TableStore) -> None:
    rows = frame(AUDIENCES, [full_audience()])
    assert counts(store.upsert(AUDIENCES, rows.select(rows.column_names[::-1]))) == (1, 0, 0, 0, 0)
    assert one(store) == full_audience()


def test_judging_says_what_an_upsert_would_do_and_writes_nothing(store: TableStore) -> None:
    put(store, AUDIENCES, audience(1), audience(2))
    rows = [audience(1), audience(2, name="b", updated_at=JUNE), audience(3), audience(1, user_id="other")]
    before = store.digests(AUDIENCES)
    judged = store.judge(AUDIENCES, frame(AUDIENCES, rows))
    assert [verdict for verdict, _ in judged] == [
        Verdict.UNCHANGED,
        Verdict.UPDATED,
        Verdict.INSERTED,
        Verdict.REFUSED,
    ]
    assert [problem.code for _, problem in judged if problem] == ["immutable"]
    assert store.digests(AUDIENCES) == before
    assert store.placements(AUDIENCES, [uuid(3)]) == {}


def test_the_first_and_the_last_month_there_are_are_months_like_any_other(store: TableStore) -> None:
    moments = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_000)  # noqa: DTZ001
    put(store, AUDIENCES, *(audience(at, created_at=moment, updated_at=moment) for at, moment in enumerate(moments)))
    assert [one(store, number=at)["created_at"] for at in range(2)] == list(moments)
    assert set(store.digests(AUDIENCES)) == {1_01, 9999_12}


def test_content_that_comes_back_within_one_batch_wins_as_the_newest(store: TableStore) -> None:
    first, second, third = (
        user(organization=each, landed_position=position) for position, each in enumerate("aba", start=1)
    )
    assert upsert(store, USERS, first, second, third) == (1, 0, 1, 1, 0)
    assert stored(store, USERS)["user123"]["organization"] == "a"
    late = user(organization="b", landed_position=2)
    assert upsert(store, USERS, late) == (0, 0, 0, 1, 0)
