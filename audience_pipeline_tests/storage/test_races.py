"""Writers and readers at once: one winner a key, no lost row, no reader error, no needless waiting."""

import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from audience_pipeline.storage.contract import Change, Query
from audience_pipeline.storage.parquet.layout import Partition
from audience_pipeline.storage.parquet.state import State
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE
from audience_pipeline_tests.storage.builders import (
    JUNE,
    MAY,
    NOW,
    Row,
    audience,
    distribution,
    frame,
    move,
    put,
    stored,
    uuid,
)
from audience_pipeline_tests.storage.writer import PROCESSES, check_whole, start

SECONDS = 300


def together(root: Path, work: Callable[..., Any], *arguments: tuple[object, ...]) -> list[Any]:
    """Run ``work(store, *arguments)`` in one process for each arguments, all beginning at once; return the answers."""
    barrier = PROCESSES.Barrier(len(arguments))
    pipes = [PROCESSES.Pipe(duplex=False) for _ in arguments]
    for (_, answer), each in zip(pipes, arguments, strict=True):
        start(worker, root, barrier, answer, work, *each)
        answer.close()
    return [receive(question) for question, _ in pipes]


def worker(root: Path, barrier: Any, answer: Connection, work: Callable[..., Any], *arguments: object) -> None:  # noqa: ANN401
    """Open the store, wait for the others, and work."""
    with ParquetStore(root, clock=lambda: NOW) as store:
        barrier.wait(SECONDS)
        answer.send(work(store, *arguments))


def receive(question: Connection) -> Any:  # noqa: ANN401 - what a worker answers
    assert question.poll(SECONDS)
    return question.recv()


def insert(store: ParquetStore, rows: list[Row]) -> tuple[int, int]:
    """Upsert rows; return how many were inserted and how many refused."""
    result = store.upsert(AUDIENCES, frame(AUDIENCES, rows))
    return result.inserted, len(result.refused)


def insert_one_by_one(store: ParquetStore, rows: list[Row]) -> int:
    return sum(insert(store, [row])[0] for row in rows)


def archive_often(store: ParquetStore, keys: list[str]) -> int:
    """Archive rows again and again; return how many were moved."""
    put_ = {"archived_at": NOW}
    return sum(len(move(store, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, keys, put_).moved) for _ in range(60))


def restore_often(store: ParquetStore, keys: list[str]) -> int:
    """Restore rows again and again; return how many were moved."""
    return sum(len(move(store, DISTRIBUTIONS_ARCHIVE, DISTRIBUTIONS, keys, {}).moved) for _ in range(60))


def call(store: ParquetStore, work: Callable[..., int], keys: list[str]) -> int:
    return work(store, keys)


def claim(store: ParquetStore, keys: list[str]) -> int:
    """Claim scheduled distributions; return how many were won."""
    changes = [Change(key, {"status": "scheduled"}, {"status": "processing"}) for key in keys]
    return len(store.transition(DISTRIBUTIONS, changes).won)


def test_moves_in_opposite_directions_take_turns(parquet: ParquetStore) -> None:
    rows = [distribution(number, status="failed") for number in range(4)]
    put(parquet, DISTRIBUTIONS, *rows)
    keys = [row["distribution_id"] for row in rows]
    archived, restored = together(parquet.root, call, (archive_often, keys), (restore_often, keys))
    # Either may take back what the other has only copied yet, so the numbers need not be alike; no run moves a part.
    assert archived % len(keys) == restored % len(keys) == 0
    assert set(stored(parquet, DISTRIBUTIONS)) | set(stored(parquet, DISTRIBUTIONS_ARCHIVE)) == set(keys)
    check_whole(parquet, "reference")


@pytest.mark.slow
def test_one_new_key_in_two_months_at_once_has_one_winner(parquet: ParquetStore) -> None:
    for round_ in range(6):
        keys = range(round_ * 20, round_ * 20 + 20)
        may = [audience(key, created_at=MAY, name="may") for key in keys]
        june = [audience(key, created_at=JUNE, name="june") for key in keys]
        answers = together(parquet.root, insert, (may,), (june,))
        assert [sum(each) for each in answers] == [20, 20]
        assert sum(inserted for inserted, _ in answers) == 20
    assert len(stored(parquet)) == 120
    check_whole(parquet)


def insert_after_meeting(root: Path, barrier: Any, answer: Connection, row: Row) -> None:  # noqa: ANN401
    """Upsert a row, going on to reserve its key only when the rival is as far."""
    begin, meetings = State.begin, iter([barrier.wait])

    def meet_and_begin(*arguments: Any) -> bool:  # noqa: ANN401 - passed on
        next(meetings, lambda _: None)(SECONDS)
        return begin(*arguments)

    with ParquetStore(root, clock=lambda: NOW) as store, pytest.MonkeyPatch.context() as patch:
        patch.setattr(State, "begin", meet_and_begin)
        answer.send(insert(store, [row]))


def test_rivals_that_both_found_the_key_free_still_have_one_winner(parquet: ParquetStore) -> None:
    barrier = PROCESSES.Barrier(2)
    pipes = [PROCESSES.Pipe(duplex=False) for _ in range(2)]
    for (_, answer), created in zip(pipes, (MAY, JUNE), strict=True):
        start(insert_after_meeting, parquet.root, barrier, answer, audience(1, created_at=created))
        answer.close()
    assert sorted(receive(question) for question, _ in pipes) == [(0, 1), (1, 0)]
    assert len(stored(parquet)) == 1
    check_whole(parquet)


def test_one_new_key_of_two_users_at_once_has_one_winner(parquet: ParquetStore) -> None:
    rivals = [([audience(key, user_id=user_id) for key in range(20)],) for user_id in ("ann", "bob", "cyd")]
    answers = together(parquet.root, insert, *rivals)
    assert sum(inserted for inserted, _ in answers) == 20
    assert sum(refused for _, refused in answers) == 40
    assert len(stored(parquet)) == 20
    check_whole(parquet)


@pytest.mark.slow
def test_writers_to_one_file_lose_none_of_each_others_rows(parquet: ParquetStore) -> None:
    shares = [([audience(10 * share + each) for each in range(10)],) for share in range(8)]
    assert together(parquet.root, insert_one_by_one, *shares) == [10] * 8
    assert len(stored(parquet)) == 80
    check_whole(parquet)


def test_writers_to_overlapping_sets_of_files_do_not_lock_each_other_out(parquet: ParquetStore) -> None:
    users = [f"user {number}" for number in range(6)]
    shares = [
        ([audience(10 * share + each, user_id=user) for each, user in enumerate(users[:: 1 if share % 2 else -1])],)
        for share in range(8)
    ]
    assert together(parquet.root, insert, *shares) == [(6, 0)] * 8
    assert len(stored(parquet)) == 48
    check_whole(parquet)


def test_a_distribution_is_claimed_by_one_of_many(parquet: ParquetStore) -> None:
    put(parquet, DISTRIBUTIONS, *(distribution(each, created_at=MAY if each % 2 else JUNE) for each in range(30)))
    keys = [uuid(each) for each in range(30)]
    assert sum(together(parquet.root, claim, (keys,), (keys[::-1],), (keys,))) == 30


def rewrite(store: ParquetStore, users: list[str], rounds: int) -> int:
    """Replace all rows of users, whole months in one batch, again and again."""
    for version in range(1, rounds + 1):
        moment = NOW.replace(microsecond=version * 1000)
        rows = [
            audience(10 * number + each, user_id=user, name=f"v{version}", updated_at=moment)
            for number, user in enumerate(users)
            for each in range(5)
        ]
        put(store, AUDIENCES, *rows)
    return rounds


def watch(store: ParquetStore, users: list[str], rounds: int) -> int:
    """Read while others write, through the store and around it, until the last round is there; count the reads."""
    reads = 0
    while True:
        seen = set()
        for user in users:
            names = store.read(AUDIENCES, Query(user_id=user)).column("name").to_pylist()
            assert len(names) == 5
            assert len(set(names)) == 1
            seen.update(names)
        assert store.get(AUDIENCES, [uuid(0)]).num_rows == 1
        for path in store.files(AUDIENCES):
            found = pq.ParquetFile(path).read(["name"]).column("name").to_pylist()
            assert (len(found), len(set(found))) == (5, 1)
        reads += 1
        if seen == {f"v{rounds}"}:
            return reads


def rewrite_or_watch(store: ParquetStore, role: str, users: list[str], rounds: int) -> int:
    return rewrite(store, users, rounds) if role == "writer" else watch(store, users, rounds)


def read_while_writing(root: Path, rounds: int) -> int:
    users = ["ann", "bob/../eve", "c=%d"]
    with ParquetStore(root, clock=lambda: NOW) as store:
        rewrite(store, users, 1)
    roles = [(role, users, rounds) for role in ("writer", "reader", "reader")]
    _, *reads = together(root, rewrite_or_watch, *roles)
    return sum(reads)


@pytest.mark.slow
def test_readers_never_fail_and_never_see_half_a_file(tmp_path: Path) -> None:
    assert read_while_writing(tmp_path / "data", rounds=10) > 2


@pytest.mark.prove
def test_readers_survive_a_thousand_rewrites(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    record_property("reads", read_while_writing(tmp_path / "data", rounds=999))


def hold(root: Path, ready: Connection) -> None:
    """Hold the lock of one partition until killed."""
    with ParquetStore(root) as store, store._core.hold(AUDIENCES, [Partition("ann", 202505)]):
        ready.send(True)
        time.sleep(SECONDS)


def upsert_in(root: Path, row: Row, done: Connection) -> None:
    """Upsert a row and say so."""
    with ParquetStore(root) as store:
        put(store, AUDIENCES, row)
        done.send(True)


def test_a_writer_waits_for_its_own_files_and_for_no_others(parquet: ParquetStore) -> None:
    ready, there = PROCESSES.Pipe(duplex=False)
    holder = start(hold, parquet.root, there)
    assert receive(ready)
    for other in (audience(1, user_id="bob"), audience(2, user_id="ann", created_at=JUNE)):
        put(parquet, AUDIENCES, other)
    done, mine = PROCESSES.Pipe(duplex=False)
    start(upsert_in, parquet.root, audience(3, user_id="ann"), mine)
    assert not done.poll(2)
    holder.kill()
    assert receive(done)
    assert set(stored(parquet)) == {uuid(1), uuid(2), uuid(3)}
