"""A copied store is the store: the same rows, order of arrival, quotas and ledger; and nothing is copied twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from audience_pipeline.errors import ConflictError, RefusedError
from audience_pipeline.storage.bigquery.store import BigQueryStore
from audience_pipeline.storage.contract import Change, TableStore
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, STORED, USERS
from audience_pipeline.transfer import Part, Transfer
from audience_pipeline_tests.storage.builders import (
    JUNE,
    NOW,
    audience,
    distribution_of,
    frame,
    put,
    put_references,
    reference,
    stored,
    user,
    uuid,
)
from audience_pipeline_tests.storage.furnished import OWNERS, fold, furnish, record, stock


@pytest.fixture
def target(parquet: ParquetStore) -> ParquetStore:
    """An empty store to copy into."""
    return parquet


@pytest.fixture(params=["parquet", pytest.param("emulated", marks=pytest.mark.prove)])
def copied(request: pytest.FixtureRequest, source: ParquetStore) -> TableStore:
    """A copy of the store, on either backend."""
    target: TableStore = request.getfixturevalue(request.param)
    copy(source, target)
    return target


@pytest.fixture
def source(tmp_path: Path) -> Iterator[ParquetStore]:
    """A store with something of everything."""
    with ParquetStore(tmp_path / "source", clock=lambda: NOW) as store:
        furnish(store)
        yield store


def copy(source: TableStore, target: TableStore) -> list[Part]:
    """Copy what is missing and return what was copied."""
    transfer = Transfer(source, target)
    with transfer.exclusive():
        return list(transfer.run(transfer.plan()))


def test_a_copy_holds_all_that_the_store_holds(source: ParquetStore, target: ParquetStore) -> None:
    assert all(part.done for part in copy(source, target))
    assert_same(source, target)


@pytest.mark.prove
def test_there_and_back_every_digest_is_the_same(source: ParquetStore, emulated: BigQueryStore, tmp_path: Path) -> None:
    copy(source, emulated)
    assert stock(emulated) == stock(source)
    assert [finding for finding in emulated.verify() if not finding.harmless] == []
    with ParquetStore(tmp_path / "back", clock=lambda: NOW) as back:
        copy(emulated, back)
        assert_same(source, back)


def assert_same(source: TableStore, target: TableStore) -> None:
    """Hold all of two stores against each other, and have the second prove itself."""
    assert stock(target) == stock(source)
    assert [target.digests(table) for table in STORED] == [source.digests(table) for table in STORED]
    assert [finding for finding in target.verify() if not finding.harmless] == []


def test_work_goes_on_in_the_copy_where_it_was_left(source: ParquetStore, copied: TableStore) -> None:
    for store in (source, copied):
        assert store.inserted_in_month(DISTRIBUTIONS, OWNERS[0], 202508) == 10
        assert store.landing.waiting(AUDIENCES, OWNERS[3]) == 1
        older = stored(store, USERS)["ann"] | {"organization": "A", "landed_position": 1}
        assert store.upsert(USERS, frame(USERS, [older])).stale == 1
        assert store.transition(DISTRIBUTIONS, [Change(uuid(9), {"status": "processing"}, {"status": "failed"})]).won
        (left,) = store.landing.unfolded(DISTRIBUTIONS)
        fold(store, DISTRIBUTIONS, left, JUNE)
        assert store.landing.unfolded(DISTRIBUTIONS) == []
        fold(store, USERS, record(store, USERS, "later.ndjson", user("ann", organization="C")))
        assert stored(store, USERS)["ann"]["organization"] == "C"
    assert [each.name for each in copied.landing.unfinished(AUDIENCES)] == ["open.ndjson"]


def test_what_is_done_is_not_done_again(source: ParquetStore, target: ParquetStore) -> None:
    copy(source, target)
    assert copy(source, target) == []
    assert all(part.done for part in Transfer(source, target).plan())


def test_what_came_later_is_copied_by_a_second_run(source: ParquetStore, target: ParquetStore) -> None:
    copy(source, target)
    put(source, AUDIENCES, audience(700, created_at=JUNE, updated_at=JUNE))
    entry = record(source, USERS, "more.ndjson", user("more"))
    fold(source, USERS, entry)
    copied = {(part.table, part.month) for part in copy(source, target)}
    assert copied == {("users", 0), ("audiences", 202506), ("landed_users", 0), ("ledger of users", 0)}
    assert stock(target) == stock(source)


def test_a_target_with_another_version_of_a_row_is_refused_untouched(
    source: ParquetStore, target: ParquetStore
) -> None:
    put(target, AUDIENCES, audience(1, user_id="somebody", created_at=JUNE, updated_at=JUNE))
    before = stock(target)
    with pytest.raises(RefusedError, match=f"audiences 2025-06: found row {uuid(1)} in the target"):
        copy(source, target)
    assert stock(target) == before


def test_a_target_with_a_key_of_its_own_is_refused_untouched(source: ParquetStore, target: ParquetStore) -> None:
    target.reserve(AUDIENCES, {uuid(5000): ("ann", 202501)}, NOW)
    with pytest.raises(RefusedError, match=f"audiences 2025-01: found key {uuid(5000)} in the target"):
        copy(source, target)
    assert stored(target, USERS) == {}


def test_a_target_with_a_file_of_its_own_is_refused_untouched(source: ParquetStore, target: ParquetStore) -> None:
    target.landing.open_file(AUDIENCES, "another digest", "another.ndjson")
    with pytest.raises(RefusedError, match=r"ledger of audiences: found file another\.ndjson in the target"):
        copy(source, target)
    assert stored(target, USERS) == {}


@pytest.mark.parametrize("kind", ["another tenant's", "nobody's"])
def test_a_source_whose_row_refers_to_what_its_user_does_not_have_is_refused_before_anything_is_copied(
    source: ParquetStore, target: ParquetStore, kind: str
) -> None:
    put_references(source, *OWNERS[:2])
    audience_id = uuid(reference(OWNERS[1]) if kind == "another tenant's" else 404)
    put(source, DISTRIBUTIONS, distribution_of(OWNERS[0], 99, audience_id=audience_id))
    with pytest.raises(RefusedError) as caught:
        copy(source, target)
    said = (caught.value.found, caught.value.expected)
    assert said == (f"{uuid(99)}, whose audience_id is {audience_id}", "a row of the same user in audiences")
    assert OWNERS[1] not in str(caught.value)
    assert all(target.read(table).num_rows == 0 for table in STORED)


def test_a_source_that_is_written_meanwhile_is_noticed(source: ParquetStore, target: ParquetStore) -> None:
    transfer = Transfer(source, target)
    parts = transfer.run(transfer.plan())
    assert next(parts).table == "users"
    put(source, USERS, user("late"))
    with pytest.raises(ConflictError, match="users: found another content than in the source, in 1 of"):
        list(parts)
