"""The order of arrival outlives the state: after a rebuild every key still holds the place its content has in it."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from audience_pipeline.storage.contract import UpsertResult
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, LANDED, POSITION, USERS, Table
from audience_pipeline.tables.arrow import arrow_schema
from audience_pipeline.tables.landed import LINES_PER_FILE
from audience_pipeline_tests.storage.builders import (
    NOW,
    Row,
    distribution_of,
    move,
    put,
    put_references,
    stored,
    user,
    uuid,
)


def land(store: ParquetStore, table: Table, *rows: Row) -> int:
    """Land rows as one file, without folding them; return its number."""
    entry = store.landing.open_file(table, str(rows), "f.ndjson")
    schema = arrow_schema(LANDED[table.name])
    places = {"landed_at": NOW, "landed_file": entry.name, "landed_digest": entry.digest}
    landed = [
        {POSITION: entry.number * LINES_PER_FILE + line, **places, **row} for line, row in enumerate(rows, start=1)
    ]
    store.landing.stage(entry, pa.Table.from_pylist(landed, schema=schema))
    store.landing.finish(entry, {})
    return entry.number


def fold(store: ParquetStore, table: Table, *numbers: int) -> UpsertResult:
    """Fold the files of these numbers, or all of them."""
    records = store.landing.read(table, numbers=numbers or None)
    return store.upsert(table, records.select([*table.column_names, POSITION]))


def reopened(store: ParquetStore) -> ParquetStore:
    """Close a store, lose its state, and open it again."""
    store.close()
    for path in (store.root / "_state").glob("store.sqlite*"):
        path.unlink()
    return ParquetStore(store.root, clock=lambda: NOW)


@pytest.fixture
def opened(root: Path) -> ParquetStore:
    return ParquetStore(root, clock=lambda: NOW)


def named(store: ParquetStore) -> Any:  # noqa: ANN401 - a column's value
    return stored(store, USERS)["ann"]["email"]


def test_a_row_written_directly_is_not_undone_by_what_landed_before(opened: ParquetStore) -> None:
    land(opened, USERS, user("ann", email="landed"))
    fold(opened, USERS)
    put(opened, USERS, user("ann", email="direct"))
    with reopened(opened) as store:
        assert fold(store, USERS).stale == 1
        assert named(store) == "direct"
        land(store, USERS, user("ann", email="later"))
        fold(store, USERS)
        assert named(store) == "later"


def test_folding_an_older_file_again_does_not_undo_a_newer_one(opened: ParquetStore) -> None:
    first = land(opened, USERS, user("ann", email="first"), user("bob"))
    land(opened, USERS, user("ann", email="second"))
    fold(opened, USERS)
    with reopened(opened) as store:
        result = fold(store, USERS, first)
        assert (result.stale, result.unchanged, named(store)) == (1, 1, "second")


def test_a_file_that_was_not_folded_yet_still_counts_after_one_that_was(opened: ParquetStore) -> None:
    land(opened, USERS, user("ann", email="first"))
    fold(opened, USERS)
    land(opened, USERS, user("ann", email="second"))
    with reopened(opened) as store:
        assert fold(store, USERS).updated == 1
        assert named(store) == "second"


def test_content_that_landed_twice_has_the_place_of_the_second_time(opened: ParquetStore) -> None:
    land(opened, USERS, user("ann", email="same"))
    between = land(opened, USERS, user("ann", email="other"))
    land(opened, USERS, user("ann", email="same"), user("bob"))
    fold(opened, USERS)
    with reopened(opened) as store:
        assert fold(store, USERS, between).stale == 1
        assert named(store) == "same"


def test_a_replay_of_what_is_archived_is_still_known_as_one(opened: ParquetStore) -> None:
    put_references(opened, "ann")
    land(opened, DISTRIBUTIONS, distribution_of("ann", 1, status="failed"), distribution_of("ann", 2))
    fold(opened, DISTRIBUTIONS)
    move(opened, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, [uuid(1)], {"archived_at": NOW})
    with reopened(opened) as store:
        result = fold(store, DISTRIBUTIONS)
        assert (result.stale, result.unchanged, result.refused) == (1, 1, ())
        land(store, DISTRIBUTIONS, distribution_of("ann", 1, status="failed"), distribution_of("ann", 3))
        assert [refusal.problem.code for refusal in fold(store, DISTRIBUTIONS).refused] == ["archived"]
