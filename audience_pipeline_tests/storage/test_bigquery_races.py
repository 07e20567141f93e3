"""Several writers at once, and writers that die: nothing is written twice, half or over somebody else's change."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from audience_pipeline.errors import ConflictError
from audience_pipeline.storage.bigquery import leases, staging, transition
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.store import BigQueryStore
from audience_pipeline.storage.contract import Change, UpsertResult
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS
from audience_pipeline_tests.storage.builders import (
    JUNE,
    MAY,
    NOW,
    audience,
    distribution,
    frame,
    full_audience,
    json,
    one,
    put,
    stored,
    uuid,
)

pytestmark = [pytest.mark.slow, pytest.mark.prove]


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Run calls in threads that start together; return what each returned."""
    ready = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        ready.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_eight_writers_of_the_same_new_keys_insert_each_once(emulated: BigQueryStore) -> None:
    def write(number: int) -> UpsertResult:
        rows = [audience(key, name=f"writer {number}", updated_at=MAY + timedelta(seconds=number)) for key in range(5)]
        return emulated.upsert(AUDIENCES, frame(AUDIENCES, rows))

    results = at_once(*(lambda number=number: write(number) for number in range(8)))
    total = sum((each for each in results if isinstance(each, UpsertResult)), UpsertResult())
    assert (total.inserted, len(total.refused)) == (5, 0)
    assert {row["name"] for row in stored(emulated).values()} == {"writer 7"}


def test_a_row_claimed_by_two_at_once_is_won_by_one(emulated: BigQueryStore) -> None:
    put(emulated, DISTRIBUTIONS, *(distribution(number) for number in range(4)))

    def claim(token: str) -> set[str]:
        taken = {"status": "processing", "error_details.attempt": {"token": token}}
        changes = [Change(uuid(number), {"status": "scheduled"}, taken) for number in range(4)]
        return set(emulated.transition(DISTRIBUTIONS, changes).won)

    first, second = at_once(lambda: claim("a"), lambda: claim("b"))
    assert isinstance(first, set)
    assert isinstance(second, set)
    assert first | second == {uuid(number) for number in range(4)}
    assert first & second == set()
    tokens = {key: row["error_details"] for key, row in stored(emulated, DISTRIBUTIONS).items()}
    assert tokens == {key: json({"attempt": {"token": "a" if key in first else "b"}}) for key in tokens}


def test_a_change_of_a_row_that_was_touched_meanwhile_is_made_on_the_new_row(
    emulated: BigQueryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(emulated, DISTRIBUTIONS, distribution())
    write = transition._write

    def write_late(*arguments: object) -> object:
        monkeypatch.setattr(transition, "_write", write)
        put(emulated, DISTRIBUTIONS, distribution(scheduled_at=JUNE))
        return write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(transition, "_write", write_late)
    change = Change(uuid(1), {"status": "scheduled"}, {"status": "processing"})
    assert emulated.transition(DISTRIBUTIONS, [change]).won == (uuid(1),)
    row = one(emulated, DISTRIBUTIONS)
    assert (row["status"], row["scheduled_at"]) == ("processing", JUNE)


class Killed(BaseException):
    """Ends a writer as a kill would: nothing below handles it."""


def test_a_writer_killed_before_its_script_leaves_staged_rows_that_expire_and_nothing_else(
    emulated: BigQueryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(emulated, AUDIENCES, audience(1))
    before = emulated.digests(AUDIENCES)

    def die(*_: object, **__: object) -> None:
        raise Killed

    rows = frame(AUDIENCES, [audience(1, name="b", updated_at=JUNE), audience(2)])
    with monkeypatch.context() as patch:
        patch.setattr(type(emulated.warehouse), "run", die)
        patch.setattr(staging, "drop", die)
        with pytest.raises(Killed):
            emulated.upsert(AUDIENCES, rows)
    assert emulated.digests(AUDIENCES) == before
    assert emulated.placements(AUDIENCES, [uuid(2)]) == {}
    (left,) = [finding for finding in emulated.verify() if not finding.repaired]
    assert (left.kind, left.harmless) == ("leftover", True)
    table = emulated.warehouse.client.get_table(left.object)
    assert datetime.now(UTC) < table.expires < datetime.now(UTC) + timedelta(days=3)
    put(emulated, AUDIENCES, audience(1, name="b", updated_at=JUNE), audience(2))
    assert {row["name"] for row in stored(emulated).values()} == {"b", "audience 2"}


def test_a_call_whose_answer_was_lost_is_not_done_twice(
    emulated: BigQueryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library repeats the request; the service knows the job by its id."""
    run = Warehouse.run
    jobs: list[str] = []

    def run_twice(self: Warehouse, *arguments: object, **options: object) -> object:
        answer = run(self, *arguments, **options)  # type: ignore[arg-type]
        if options.get("operation") != "upsert":
            return answer
        jobs.append(str(options["job_id"]))
        return run(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Warehouse, "run", run_twice)
    assert emulated.upsert(AUDIENCES, frame(AUDIENCES, [full_audience()])).inserted == 1
    assert len(jobs) == 1


def test_a_lease_is_waited_for_and_outlives_its_dead_holder_by_its_length_only(emulated: BigQueryStore) -> None:
    warehouse = emulated.warehouse
    dead = leases._Lease(warehouse, ["landing audiences"], 2)
    dead.take()
    began = time.monotonic()
    with emulated.landing_lock(AUDIENCES):
        assert time.monotonic() - began > 1
        assert dead.release() is False


def test_a_holder_that_lost_its_lease_is_told(emulated: BigQueryStore) -> None:
    with pytest.raises(ConflictError, match="quota u"), emulated.user_lock("u"):
        emulated.warehouse.run("DELETE FROM leases WHERE name != ''", object="a test", operation="test")


def test_of_two_that_want_a_lease_one_has_it_at_a_time(emulated: BigQueryStore) -> None:
    inside: list[int] = []
    most: list[int] = []

    def hold(number: int) -> None:
        with emulated.user_lock("u"):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.3)
            inside.remove(number)

    at_once(lambda: hold(1), lambda: hold(2), lambda: hold(3))
    assert most == [1, 1, 1]


def test_two_that_open_one_file_get_one_entry(emulated: BigQueryStore) -> None:
    entries = at_once(*(lambda: emulated.landing.open_file(AUDIENCES, "d", "f.ndjson") for _ in range(4)))
    assert len({str(entry) for entry in entries}) == 1
    others = at_once(*(lambda name=name: emulated.landing.open_file(AUDIENCES, name, name).number for name in "abcd"))
    assert len(set(others)) == 4


def test_two_that_reserve_one_key_put_it_in_one_place(emulated: BigQueryStore) -> None:
    refused = at_once(
        *(
            lambda user=user: set(emulated.reserve(AUDIENCES, {uuid(1): (user, 202505)}, NOW))
            for user in ("a", "b", "c")
        )
    )
    assert sorted(map(len, refused)) == [0, 1, 1]  # type: ignore[arg-type]
