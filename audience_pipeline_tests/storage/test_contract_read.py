"""The contract of read, get and digests: filters, order, limit, columns, types."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from audience_pipeline.errors import UsageError
from audience_pipeline.storage.contract import Predicate, Query, TableStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, STORED, USERS, Table
from audience_pipeline.tables.arrow import arrow_schema
from audience_pipeline_tests.storage.builders import (
    JULY,
    JUNE,
    MAY,
    NOW,
    audience,
    full_audience,
    put,
    user,
    uuid,
)

DAY = timedelta(days=1)
BOUNDS: list[tuple[dict[str, Any], list[int]]] = [
    ({"since": JUNE}, [2, 3, 4]),
    ({"since": JUNE + timedelta(milliseconds=1)}, [3]),
    ({"until": JUNE}, [1]),
    ({"until": JUNE + timedelta(milliseconds=1)}, [1, 2, 4]),
    ({"since": MAY, "until": JULY}, [1, 2, 4]),
    ({"since": JUNE, "until": JUNE}, []),
    ({"until": datetime(2025, 7, 1)}, [1, 2, 4]),  # noqa: DTZ001
    ({"since": JUNE.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=14)))}, [2, 3, 4]),
    ({"since": JUNE, "months": (202507, 202512)}, [3]),
]
PREDICATES: list[tuple[list[tuple[str, Any, object]], list[int]]] = [
    ([("status", "=", "active")], [1, 3]),
    ([("status", "!=", "archived")], [1, 3, 4]),
    ([("status", "in", ["active", "archived"])], [1, 2, 3]),
    ([("status", "in", [])], []),
    ([("total_audience_size", ">", 10)], [2, 4]),
    ([("total_audience_size", ">=", 10)], [1, 2, 4]),
    ([("total_audience_size", "<", 20)], [1]),
    ([("total_audience_size", "<=", 20)], [1, 2]),
    ([("total_audience_size", "=", None)], [3]),
    ([("total_audience_size", "!=", None)], [1, 2, 4]),
    ([("created_at", ">", JUNE.replace(tzinfo=UTC))], [3]),
    ([("status", "=", "active"), ("total_audience_size", "=", 10)], [1]),
    ([("name", "=", "audience 1' OR 1=1 --")], []),
]


@pytest.fixture
def filled(store: TableStore) -> TableStore:
    """Three months of one user and one of another: numbers 1 to 4."""
    put(
        store,
        AUDIENCES,
        audience(1, created_at=MAY, updated_at=NOW, status="active", total_audience_size=10),
        audience(2, created_at=JUNE, updated_at=NOW, status="archived", total_audience_size=20),
        audience(3, created_at=JULY, updated_at=NOW, status="active"),
        audience(4, created_at=JUNE, updated_at=NOW, user_id="other", total_audience_size=40),
    )
    return store


def numbers(store: TableStore, **query: Any) -> list[int]:  # noqa: ANN401 - any part of a query
    """Return which of the four a query finds, in its order."""
    keys = store.read(AUDIENCES, Query(**query)).column("audience_id").to_pylist()
    return [next(number for number in range(5) if uuid(number) == key) for key in keys]


def test_a_read_of_everything_returns_every_row_once(filled: TableStore) -> None:
    assert sorted(numbers(filled)) == [1, 2, 3, 4]


def test_a_user_gets_rows_of_its_own(filled: TableStore) -> None:
    assert sorted(numbers(filled, user_id="user123")) == [1, 2, 3]
    assert numbers(filled, user_id="other") == [4]
    assert numbers(filled, user_id="nobody") == []
    assert numbers(filled, user_id="other' OR '1'='1") == []


def test_months_are_inclusive(filled: TableStore) -> None:
    assert sorted(numbers(filled, months=(202505, 202505))) == [1]
    assert sorted(numbers(filled, months=(202506, 202507))) == [2, 3, 4]
    assert sorted(numbers(filled, months=(202401, 202404))) == []


def test_times_bound_the_creation_half_open(filled: TableStore, subtests: pytest.Subtests) -> None:
    for bounds, found in BOUNDS:
        with subtests.test(bounds=bounds):
            assert sorted(numbers(filled, **bounds)) == found


def test_predicates_are_joined_by_and(filled: TableStore, subtests: pytest.Subtests) -> None:
    for where, found in PREDICATES:
        with subtests.test(where=where):
            assert sorted(numbers(filled, where=[Predicate(*each) for each in where])) == found


def test_order_and_limit_come_last(filled: TableStore) -> None:
    assert numbers(filled, order_by=["-created_at", "audience_id"]) == [3, 2, 4, 1]
    assert numbers(filled, order_by=["created_at", "-audience_id"]) == [1, 4, 2, 3]
    assert numbers(filled, order_by=["-created_at", "audience_id"], limit=2) == [3, 2]
    assert numbers(filled, order_by=["created_at"], limit=0) == []


def test_a_projection_keeps_the_order_asked_for_and_the_declared_types(filled: TableStore) -> None:
    columns = ["total_audience_size", "audience_id", "selected_variables"]
    rows = filled.read(AUDIENCES, Query(columns=columns, where=[Predicate("user_id", "=", "other")]))
    assert rows.column_names == columns
    assert rows.schema == arrow_schema(AUDIENCES).empty_table().select(columns).schema
    assert rows.to_pylist() == [{"total_audience_size": 40, "audience_id": uuid(4), "selected_variables": []}]


def test_a_column_that_is_not_declared_is_refused(filled: TableStore, subtests: pytest.Subtests) -> None:
    for query in (
        Query(columns=["nothing"]),
        Query(where=[Predicate('name" = name OR "name', "=", "x")]),
        Query(order_by=["-nothing"]),
        Query(order_by=["name; DROP TABLE audiences"]),
    ):
        with subtests.test(query=query), pytest.raises(UsageError, match="audiences: found columns"):
            filled.read(AUDIENCES, query)


def test_an_operator_that_does_not_exist_is_refused(filled: TableStore) -> None:
    query = Query(where=[Predicate("name", "LIKE", "%")])  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="LIKE"):
        filled.read(AUDIENCES, query)


@pytest.mark.parametrize("table", STORED, ids=lambda table: table.name)
def test_what_is_empty_is_typed(store: TableStore, table: Table) -> None:
    schema = arrow_schema(table)
    first = [schema.names[0]]
    assert store.read(table).schema == schema
    assert store.read(table, Query(columns=first, user_id="x")).schema == schema.empty_table().select(first).schema
    assert store.get(table, ["no such key"]).schema == schema
    assert store.digests(table) == {}


def test_a_filter_that_finds_nothing_is_typed(filled: TableStore) -> None:
    rows = filled.read(AUDIENCES, Query(where=[Predicate("name", "=", "nothing")]))
    assert (rows.num_rows, rows.schema) == (0, arrow_schema(AUDIENCES))


def test_get_returns_the_keys_that_exist(filled: TableStore) -> None:
    rows = filled.get(AUDIENCES, [uuid(4), uuid(99), uuid(1)], ["audience_id", "user_id"]).to_pylist()
    assert sorted(row["audience_id"] for row in rows) == [uuid(1), uuid(4)]
    assert filled.get(AUDIENCES, []).num_rows == 0
    assert filled.get(DISTRIBUTIONS, [uuid(1)]).num_rows == 0


def test_get_finds_users_by_their_id(store: TableStore) -> None:
    put(store, USERS, user("a/b"), user("c"))
    assert store.get(USERS, ["a/b"], ["user_id"]).to_pylist() == [{"user_id": "a/b"}]


def test_a_null_is_read_as_null_and_an_empty_text_as_empty(store: TableStore) -> None:
    put(store, AUDIENCES, audience(1, description=None, original_query=""))
    (row,) = store.get(AUDIENCES, [uuid(1)]).to_pylist()
    assert (row["description"], row["original_query"], row["selected_variables"]) == (None, "", [])


def test_digests_tell_content_and_not_the_way_it_came(store: TableStore) -> None:
    put(store, AUDIENCES, full_audience(1), full_audience(2, created_at=JUNE, updated_at=JUNE))
    before = store.digests(AUDIENCES)
    assert set(before) == {202505, 202506}
    put(store, AUDIENCES, full_audience(1, name="b", updated_at=NOW))
    after = store.digests(AUDIENCES)
    assert after[202505] != before[202505]
    assert after[202506] == before[202506]


def test_digests_of_a_table_without_months_stand_under_zero(store: TableStore) -> None:
    put(store, USERS, user())
    assert set(store.digests(USERS)) == {0}
