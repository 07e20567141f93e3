"""The contract of taking over rows and ledger lines of another store."""

import pyarrow as pa
import pytest

from audience_pipeline.errors import RefusedError
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.storage.ledger import LedgerEntry
from audience_pipeline.storage.restoring import LedgerLine, key_table
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, LANDED, POSITION, USERS
from audience_pipeline.tables.arrow import arrow_schema, empty
from audience_pipeline_tests.storage.builders import (
    MAY,
    NOW,
    USER,
    audience,
    distribution,
    frame,
    put,
    stored,
    user,
    uuid,
)

PLACED = (USER, 202505, "placed", 7, 202503)


def keys(*rows: tuple[object, ...]) -> pa.Table:
    return key_table(rows)


def line(number: int, digest: str, status: str = "folded") -> LedgerLine:
    return LedgerLine(LedgerEntry(number, "users", digest, "f.ndjson", status), {}, frozenset())  # type: ignore[arg-type]


def test_rows_no_landing_could_bring_are_taken_over_as_they_are(store: TableStore) -> None:
    row = distribution(status="processing", executed_at=NOW)
    store.restore(DISTRIBUTIONS, frame(DISTRIBUTIONS, [row]), keys((uuid(1), *PLACED)))
    found = stored(store, DISTRIBUTIONS)[uuid(1)]
    assert (found["status"], found["executed_at"]) == ("processing", NOW)


def test_positions_and_accepted_months_come_with_the_keys(store: TableStore) -> None:
    known = keys(("a", "a", 0, "placed", 9 * 2**32, 202503), ("b", "b", 0, "accepted", 0, 202502))
    store.restore(USERS, frame(USERS, [user("a", organization="new")]), known)
    assert store.keys(USERS).sort_by("key").to_pylist() == known.to_pylist()
    assert store.inserted_in_month(USERS, "a", 202503) == 1
    older = frame(USERS, [user("a", organization="old", landed_position=8 * 2**32)])
    assert store.upsert(USERS, older).stale == 1
    assert store.landing.open_file(USERS, "next", "next.ndjson").number > 9


def test_archived_rows_keep_their_key_in_the_index_of_the_live_table(store: TableStore) -> None:
    row = {**distribution(status="completed"), "archived_at": NOW}
    archived = keys((uuid(1), USER, 202505, "archived", 3, 202505))
    store.restore(DISTRIBUTIONS_ARCHIVE, frame(DISTRIBUTIONS_ARCHIVE, [row]), archived)
    assert store.placements(DISTRIBUTIONS, [uuid(1)])[uuid(1)].archived
    assert store.keys(DISTRIBUTIONS).num_rows == 0
    assert store.keys(DISTRIBUTIONS_ARCHIVE).to_pylist() == archived.to_pylist()


def test_a_row_whose_key_has_one_here_is_refused(store: TableStore) -> None:
    put(store, AUDIENCES, audience(name="mine"))
    with pytest.raises(RefusedError, match=f"audiences {uuid(1)}: found another row of this key"):
        store.restore(AUDIENCES, frame(AUDIENCES, [audience(name="theirs")]), keys((uuid(1), *PLACED)))
    assert stored(store)[uuid(1)]["name"] == "mine"


def test_a_key_that_lives_elsewhere_is_refused(store: TableStore) -> None:
    store.reserve(AUDIENCES, {uuid(1): (USER, 202506)}, NOW)
    with pytest.raises(RefusedError, match=r"found the key at another place \(month 202506\)"):
        store.restore(AUDIENCES, frame(AUDIENCES, [audience()]), keys((uuid(1), *PLACED)))


def test_a_row_without_its_key_is_refused(store: TableStore) -> None:
    with pytest.raises(RefusedError, match="found a row the index does not have"):
        store.restore(AUDIENCES, frame(AUDIENCES, [audience()]), keys())
    assert stored(store) == {}


def test_a_key_without_its_row_is_refused(store: TableStore) -> None:
    with pytest.raises(RefusedError, match="found no row of a key the index has"):
        store.restore(AUDIENCES, empty(AUDIENCES), keys((uuid(1), *PLACED)))
    assert store.placements(AUDIENCES, [uuid(1)]) == {}


def test_a_file_is_taken_over_with_its_number_and_records(store: TableStore) -> None:
    taken = LedgerLine(LedgerEntry(12, "users", "d", "f.ndjson", "landed", {"read": 1}), {0: 1}, frozenset())
    place = {POSITION: 12 * 2**32 + 1, "landed_at": MAY, "landed_file": "f.ndjson", "landed_digest": "d"}
    rows = pa.Table.from_pylist([{**user(), **place}], schema=arrow_schema(LANDED["users"]))
    store.landing.restore(USERS, [taken], [rows])
    assert store.landing.lines(USERS) == [taken]
    assert store.landing.read(USERS).to_pylist() == rows.to_pylist()
    assert store.landing.open_file(USERS, "other", "other.ndjson").number > 12


def test_a_file_whose_number_or_content_is_another_ones_is_refused(store: TableStore) -> None:
    store.landing.restore(USERS, [line(1, "d")], [])
    for wrong in (line(1, "other"), line(2, "d"), line(1, "d", "open")):
        with pytest.raises(RefusedError, match=r"found f\.ndjson of users, number 1, folded, in the ledger"):
            store.landing.restore(USERS, [wrong], [])
    assert store.landing.lines(USERS) == [line(1, "d")]
