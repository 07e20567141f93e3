"""The contract of the landing log: numbered files, records published as a whole, and how far each was folded."""

from collections.abc import Iterable
from datetime import datetime

import pyarrow as pa
import pytest

from audience_pipeline.storage.contract import TableStore
from audience_pipeline.storage.ledger import LedgerEntry
from audience_pipeline.tables import AUDIENCES, LANDED, POSITION, USERS, Table
from audience_pipeline.tables.arrow import arrow_schema
from audience_pipeline.tables.landed import LINES_PER_FILE
from audience_pipeline_tests.storage.builders import JUNE, MAY, NOW, Row, full_audience, put, user, uuid

HOME = ("user123", 202505)


def opened(store: TableStore, digest: str = "d1", table: Table = AUDIENCES) -> LedgerEntry:
    return store.landing.open_file(table, digest, f"{digest}.ndjson")


def records(entry: LedgerEntry, rows: Iterable[Row], table: Table = AUDIENCES, first_line: int = 1) -> pa.Table:
    """Return rows as they land: with the position each has in its file."""
    marks = {"landed_at": NOW, "landed_file": entry.name, "landed_digest": entry.digest}
    placed = [
        {**row, **marks, POSITION: entry.number * LINES_PER_FILE + line} for line, row in enumerate(rows, first_line)
    ]
    return pa.Table.from_pylist(placed, schema=arrow_schema(LANDED[table.name]))


def land(store: TableStore, digest: str, *rows: Row, table: Table = AUDIENCES) -> LedgerEntry:
    entry = opened(store, digest, table)
    store.landing.stage(entry, records(entry, rows, table))
    store.landing.finish(entry, {"accepted": len(rows)})
    return opened(store, digest, table)


def of(number: int, created_at: datetime = MAY) -> Row:
    return full_audience(number, created_at=created_at, updated_at=NOW)


def keys(rows: pa.Table) -> list[str]:
    found: list[str] = rows.column("audience_id").to_pylist()
    return found


def test_a_content_has_one_entry_and_later_ones_higher_numbers(store: TableStore) -> None:
    first, second = opened(store, "d1"), opened(store, "d2")
    users = opened(store, "d1", USERS)
    assert opened(store, "d1") == first
    assert first.number < second.number
    assert len({first.number, second.number, users.number}) == 3
    assert (first.table, first.digest, first.name, first.status) == ("audiences", "d1", "d1.ndjson", "open")
    assert [entry.digest for entry in store.landing.unfinished(AUDIENCES)] == ["d1", "d2"]


def test_staged_records_are_not_read_before_they_are_published(store: TableStore) -> None:
    entry = opened(store)
    store.landing.stage(entry, records(entry, [of(1)]))
    assert store.landing.read(AUDIENCES).num_rows == 0
    assert store.landing.finish(entry, {"accepted": 1}) == {202505}
    assert store.landing.read(AUDIENCES).to_pylist() == records(entry, [of(1)]).to_pylist()
    landed = opened(store)
    assert (landed.status, dict(landed.counts)) == ("landed", {"accepted": 1})
    assert store.landing.unfinished(AUDIENCES) == []


def test_records_staged_in_parts_are_published_together_in_landing_order(store: TableStore) -> None:
    entry = opened(store)
    store.landing.stage(entry, records(entry, [of(1, JUNE), of(2)]))
    store.landing.stage(entry, records(entry, [of(3)], first_line=3))
    assert store.landing.finish(entry, {}) == {202505, 202506}
    assert store.landing.rows(entry) == {202505: 2, 202506: 1}
    assert keys(store.landing.read(AUDIENCES)) == [uuid(1), uuid(2), uuid(3)]


def test_abandoned_records_are_gone_and_the_file_can_land_again(store: TableStore) -> None:
    entry = opened(store)
    store.landing.stage(entry, records(entry, [of(1)]))
    store.landing.abandon(entry)
    store.landing.abandon(entry)
    store.landing.stage(entry, records(entry, [of(2)]))
    store.landing.finish(entry, {})
    assert keys(store.landing.read(AUDIENCES)) == [uuid(2)]


def test_a_file_of_which_nothing_was_accepted_leaves_nothing_to_fold(store: TableStore) -> None:
    entry = opened(store)
    assert store.landing.finish(entry, {"refused": 3}) == frozenset()
    assert opened(store).status == "folded"
    assert store.landing.unfolded(AUDIENCES) == []
    rows = store.landing.read(AUDIENCES)
    assert (rows.num_rows, rows.schema) == (0, arrow_schema(LANDED["audiences"]))


def test_records_are_read_by_month_and_by_file(store: TableStore) -> None:
    first, second = land(store, "d1", of(1), of(2, JUNE)), land(store, "d2", of(3, JUNE))
    assert keys(store.landing.read(AUDIENCES, months=(202506, 202506))) == [uuid(2), uuid(3)]
    assert keys(store.landing.read(AUDIENCES, numbers=[first.number])) == [uuid(1), uuid(2)]
    assert keys(store.landing.read(AUDIENCES, months=(202506, 202507), numbers=[second.number])) == [uuid(3)]
    assert keys(store.landing.read(AUDIENCES, numbers=[])) == []


def test_groups_have_every_record_once(store: TableStore) -> None:
    first, second = land(store, "d1", of(1), of(2, JUNE)), land(store, "d2", of(3, JUNE), of(4))
    found = [key for group in store.landing.groups(AUDIENCES, [first.number, second.number]) for key in keys(group)]
    assert sorted(found) == [uuid(number) for number in range(1, 5)]
    assert sorted(key for group in store.landing.groups(AUDIENCES, [second.number]) for key in keys(group)) == [
        uuid(3),
        uuid(4),
    ]


def test_a_table_without_months_lands_in_month_zero(store: TableStore) -> None:
    entry = land(store, "d1", user(), table=USERS)
    assert store.landing.months(entry) == {0}
    assert store.landing.read(USERS).column("user_id").to_pylist() == ["user123"]


def test_a_file_is_folded_as_a_whole_or_month_by_month(store: TableStore) -> None:
    entry = land(store, "d1", of(1), of(2, JUNE))
    assert [each.digest for each in store.landing.unfolded(AUDIENCES)] == ["d1"]
    store.landing.mark_folded([entry], {"inserted": 1}, months=(202505, 202505))
    store.landing.mark_folded([entry], {"inserted": 1}, months=(202505, 202505))
    assert opened(store).status == "landed"
    store.landing.mark_folded([entry], {"inserted": 1}, months=(202506, 202512))
    folded = opened(store)
    assert (folded.status, dict(folded.counts)) == ("folded", {"accepted": 2, "inserted": 2})
    whole = land(store, "d2", of(3))
    store.landing.mark_folded([whole], {"inserted": 1})
    assert opened(store, "d2").status == "folded"
    assert store.landing.unfolded(AUDIENCES) == []


def test_accepted_keys_wait_until_they_have_a_row(store: TableStore) -> None:
    store.reserve(AUDIENCES, {uuid(1): HOME, uuid(2): HOME, uuid(3): ("other", 202505)}, NOW)
    assert store.landing.waiting(AUDIENCES, "user123") == 2
    put(store, AUDIENCES, of(1))
    assert store.landing.waiting(AUDIENCES, "user123") == 1


def test_rows_that_did_not_land_come_after_files_and_before_later_ones(store: TableStore) -> None:
    landed = opened(store, "d1", USERS)
    position = landed.number * LINES_PER_FILE
    put(store, USERS, user(organization="landed", landed_position=position + 7))
    put(store, USERS, user(organization="direct"))
    later = opened(store, "d2", USERS)
    assert later.number > landed.number
    put(store, USERS, user(organization="later", landed_position=later.number * LINES_PER_FILE + 1))
    assert store.get(USERS, ["user123"]).column("organization").to_pylist() == ["later"]
    put(store, USERS, user(organization="landed again", landed_position=position + 9))
    assert store.get(USERS, ["user123"]).column("organization").to_pylist() == ["later"]


@pytest.mark.parametrize("table", [AUDIENCES, USERS], ids=lambda table: table.name)
def test_an_empty_log_reads_empty_and_typed(store: TableStore, table: Table) -> None:
    rows = store.landing.read(table)
    assert (rows.num_rows, rows.schema) == (0, arrow_schema(LANDED[table.name]))
    assert list(store.landing.groups(table, [])) == []
