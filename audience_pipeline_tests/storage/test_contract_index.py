"""The contract of placements, reservations and monthly counts."""

from datetime import timedelta

from audience_pipeline.storage.contract import Placement, TableStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, PLATFORMS
from audience_pipeline_tests.storage.builders import (
    JUNE,
    MAY,
    NOW,
    audience,
    distribution,
    frame,
    json,
    platform,
    put,
    stored,
    uuid,
)

HOME = ("user123", 202505)


def test_placements_tell_where_known_keys_live(store: TableStore) -> None:
    put(store, AUDIENCES, audience(1), audience(2, user_id="other", created_at=JUNE, updated_at=JUNE))
    assert store.placements(AUDIENCES, [uuid(1), uuid(2), uuid(3)]) == {
        uuid(1): Placement("user123", 202505, placed=True, archived=False),
        uuid(2): Placement("other", 202506, placed=True, archived=False),
    }


def test_a_table_without_months_places_its_keys_in_month_zero(store: TableStore) -> None:
    put(store, PLATFORMS, platform())
    assert store.placements(PLATFORMS, [uuid(1)])[uuid(1)].month == 0


def test_a_refused_row_is_placed_nowhere(store: TableStore) -> None:
    assert store.upsert(DISTRIBUTIONS, frame(DISTRIBUTIONS, [distribution(status="processing")])).refused
    assert store.placements(DISTRIBUTIONS, [uuid(1)]) == {}


def test_a_reserved_key_is_known_and_has_no_row_yet(store: TableStore) -> None:
    assert store.reserve(AUDIENCES, {uuid(1): HOME}, NOW) == {}
    assert store.placements(AUDIENCES, [uuid(1)])[uuid(1)].placed is False
    assert store.get(AUDIENCES, [uuid(1)]).num_rows == 0
    assert stored(store) == {}


def test_a_reservation_elsewhere_names_the_key_that_is_taken(store: TableStore) -> None:
    put(store, AUDIENCES, audience(1))
    store.reserve(AUDIENCES, {uuid(2): HOME}, NOW)
    wanted = {uuid(1): ("user123", 202506), uuid(2): ("other", 202505), uuid(3): HOME}
    taken = store.reserve(AUDIENCES, wanted, NOW)
    assert {key: (place.user_id, place.month) for key, place in taken.items()} == {uuid(1): HOME, uuid(2): HOME}
    assert store.reserve(AUDIENCES, {uuid(1): HOME, uuid(2): HOME, uuid(3): HOME}, NOW) == {}


def test_a_reserved_key_is_written_where_it_was_reserved_and_nowhere_else(store: TableStore) -> None:
    store.reserve(AUDIENCES, {uuid(1): HOME, uuid(2): HOME}, NOW)
    elsewhere = audience(2, created_at=JUNE, updated_at=JUNE)
    result = store.upsert(AUDIENCES, frame(AUDIENCES, [audience(1), elsewhere]))
    assert (result.inserted, [refused.key for refused in result.refused]) == (1, [uuid(2)])
    assert store.placements(AUDIENCES, [uuid(1)])[uuid(1)].placed is True


def test_a_reservation_outlives_other_writes_to_its_month(store: TableStore) -> None:
    store.reserve(AUDIENCES, {uuid(1): HOME}, NOW)
    put(store, AUDIENCES, audience(2))
    put(store, AUDIENCES, audience(2, name="b", updated_at=JUNE))
    assert uuid(1) in store.placements(AUDIENCES, [uuid(1)])


def test_a_month_counts_the_keys_accepted_in_it_whatever_became_of_them(store: TableStore) -> None:
    september = NOW + timedelta(days=40)
    store.reserve(DISTRIBUTIONS, {uuid(1): HOME, uuid(2): HOME}, NOW)
    store.reserve(DISTRIBUTIONS, {uuid(2): HOME, uuid(3): HOME}, september)
    put(store, DISTRIBUTIONS, distribution(1), distribution(4), distribution(5, user_id="other"))
    put(store, DISTRIBUTIONS, distribution(1, scheduled_at=JUNE))
    assert store.inserted_in_month(DISTRIBUTIONS, "user123", 202508) == 3
    assert store.inserted_in_month(DISTRIBUTIONS, "user123", 202509) == 1
    assert store.inserted_in_month(DISTRIBUTIONS, "other", 202508) == 1
    assert store.inserted_in_month(DISTRIBUTIONS, "user123", 202505) == 0


def test_a_count_is_of_one_table(store: TableStore) -> None:
    put(store, AUDIENCES, audience(1))
    assert store.inserted_in_month(DISTRIBUTIONS, "user123", 202508) == 0


def test_any_number_of_keys_may_be_asked_for(store: TableStore) -> None:
    put(store, AUDIENCES, *(audience(number, metadata=json({"notes": "n"})) for number in range(3000)))
    keys = [uuid(number) for number in range(4000)]
    assert len(store.placements(AUDIENCES, keys)) == 3000
    assert store.get(AUDIENCES, keys, ["audience_id"]).num_rows == 3000


def test_the_locks_of_users_and_tables_do_not_wait_for_each_other(store: TableStore) -> None:
    with store.user_lock("a"), store.user_lock("b"), store.landing_lock(AUDIENCES), store.landing_lock(PLATFORMS):
        put(store, AUDIENCES, audience(1, user_id="a", created_at=MAY))
