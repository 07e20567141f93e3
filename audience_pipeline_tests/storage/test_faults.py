"""A writer that dies at each named step of a write: the next writer recovers, and running again finishes."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audience_pipeline.storage.contract import Change
from audience_pipeline.storage.parquet.files import Staging
from audience_pipeline.storage.parquet.state import State
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE
from audience_pipeline_tests.storage.builders import (
    JULY,
    JUNE,
    MAY,
    NOW,
    distribution_of,
    move,
    put,
    put_references,
    stored,
)
from audience_pipeline_tests.storage.writer import check_whole, start

pytestmark = pytest.mark.slow

DIED = 77
USERS = ("ann", "bob", "cyd")

OLD = [distribution_of(user, number, status="scheduled") for number, user in enumerate(USERS)]
NEW = [distribution_of(user, 10 + number, created_at=JUNE) for number, user in enumerate(USERS)]
CHANGED = [row | {"scheduled_at": MAY} for row in OLD]
OTHERS = [distribution_of(user, 20 + number) for number, user in enumerate(USERS)]
KEYS = [row["distribution_id"] for row in OLD]


def upsert(store: ParquetStore) -> None:
    put(store, DISTRIBUTIONS, *CHANGED, *NEW)


def claim(store: ParquetStore) -> None:
    changes = [Change(key, {"status": "scheduled"}, {"status": "processing"}) for key in KEYS]
    store.transition(DISTRIBUTIONS, changes)


def archive(store: ParquetStore) -> None:
    move(store, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, KEYS, {"archived_at": NOW})


WRITES: dict[str, Callable[[ParquetStore], None]] = {"upsert": upsert, "claim": claim, "archive": archive}
ONE_WRITE = {"upsert", "claim"}
STEPS: dict[str, tuple[object, str, int, str]] = {
    "before the state is told": (State, "begin", 1, "before"),
    "after the state was told": (State, "begin", 1, "after"),
    "before the second begin": (State, "begin", 2, "before"),
    "before files are written": (Staging, "write", 1, "before"),
    "after files were written": (Staging, "write", 1, "after"),
    "after a second write": (Staging, "write", 2, "after"),
    "before the first file is synced": (os, "fsync", 1, "before"),
    "before the last file is synced": (os, "fsync", 3, "before"),
    "before the first rename": (os, "replace", 1, "before"),
    "after the first rename": (os, "replace", 1, "after"),
    "in the middle of the renames": (os, "replace", 2, "after"),
    "before the last rename": (os, "replace", 3, "before"),
    "before a directory is synced": (os, "fsync", 7, "before"),
    "before the second write's renames": (Staging, "publish", 2, "before"),
    "after the second write's renames": (Staging, "publish", 2, "after"),
    "before the commit": (State, "commit", 1, "before"),
    "after the commit": (State, "commit", 1, "after"),
    "before the second commit": (State, "commit", 2, "before"),
}


def die_in(root: Path, write: str, step: str) -> None:
    """Open the store, do one write, and end the process at a step of it without any clean-up."""
    owner, name, time, moment = STEPS[step]
    with ParquetStore(root, clock=lambda: NOW) as store:
        original, calls = getattr(owner, name), 0

        def patched(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - any function
            nonlocal calls
            calls += 1
            if calls == time and moment == "before":
                os._exit(DIED)
            result = original(*arguments, **options)
            if calls == time:
                os._exit(DIED)
            return result

        setattr(owner, name, patched)
        WRITES[write](store)


def died(root: Path, write: str, step: str) -> bool:
    """Let a process die at a step; return whether the write has that step at all."""
    process = start(die_in, root, write, step)
    process.join()
    assert process.exitcode in {0, DIED}
    return bool(process.exitcode)


@pytest.fixture
def expected(tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the tables hold after the write and the others' rows, when nobody dies."""
    with ParquetStore(tmp_path / "undisturbed", clock=lambda: NOW) as store:
        put_references(store, *USERS)
        put(store, DISTRIBUTIONS, *OLD)
        WRITES[request.getfixturevalue("write")](store)
        put(store, DISTRIBUTIONS, *OTHERS)
        return tables(store)


def tables(store: ParquetStore) -> dict[str, Any]:
    return {table.name: stored(store, table) for table in (DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE)}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("write", WRITES)
def test_the_next_writer_recovers_and_running_again_finishes(
    parquet: ParquetStore, expected: dict[str, Any], write: str, step: str
) -> None:
    put_references(parquet, *USERS)
    put(parquet, DISTRIBUTIONS, *OLD)
    assert died(parquet.root, write, step) or write in ONE_WRITE
    for table in (DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE):
        assert set(stored(parquet, table)) <= {*KEYS, *(row["distribution_id"] for row in NEW)}
    put(parquet, DISTRIBUTIONS, *OTHERS)
    WRITES[write](parquet)
    assert tables(parquet) == expected
    check_whole(parquet)


@pytest.mark.parametrize("step", STEPS)
def test_a_key_whose_writer_died_is_either_written_or_free(parquet: ParquetStore, step: str) -> None:
    put_references(parquet, *USERS)
    put(parquet, DISTRIBUTIONS, *OLD)
    died(parquet.root, "upsert", step)
    with ParquetStore(parquet.root, clock=lambda: NOW) as store:
        written = set(stored(store, DISTRIBUTIONS)) - set(KEYS)
        assert {row["distribution_id"] for row in NEW if store.get(DISTRIBUTIONS, [row["distribution_id"]])} == written
        elsewhere = [row | {"created_at": JULY} for row in NEW if row["distribution_id"] not in written]
        if elsewhere:
            put(store, DISTRIBUTIONS, *elsewhere)
        assert len(stored(store, DISTRIBUTIONS)) == len(OLD) + len(NEW)
        check_whole(store)


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("step", ["after the state was told", "in the middle of the renames", "before the commit"])
def test_verifying_after_a_death_mends_what_the_next_writer_would(parquet: ParquetStore, write: str, step: str) -> None:
    put_references(parquet, *USERS)
    put(parquet, DISTRIBUTIONS, *OLD)
    assert died(parquet.root, write, step)
    check_whole(parquet)


@pytest.mark.parametrize("step", STEPS)
def test_a_move_whose_writer_died_leaves_each_row_in_one_place_that_counts(parquet: ParquetStore, step: str) -> None:
    put_references(parquet, *USERS)
    put(parquet, DISTRIBUTIONS, *OLD)
    before = tables(parquet)["distributions"]
    died(parquet.root, "archive", step)
    with ParquetStore(parquet.root, clock=lambda: NOW) as store:
        check_whole(store)
        live, archived = (tables(store)[table.name] for table in (DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE))
        assert {**{key: row | {"archived_at": NOW} for key, row in live.items()}, **archived} == {
            key: row | {"archived_at": NOW} for key, row in before.items()
        }
        assert {key for key, place in store.placements(DISTRIBUTIONS, KEYS).items() if not place.archived} == set(live)
        archive(store)
        assert (set(stored(store, DISTRIBUTIONS)), set(stored(store, DISTRIBUTIONS_ARCHIVE))) == (set(), set(KEYS))
        check_whole(store)
