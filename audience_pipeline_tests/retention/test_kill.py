"""Archive runs and restores that are killed anywhere: nothing is lost or double, and the next run finishes."""

import os
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from audience_pipeline.queries import statements
from audience_pipeline.retention.archiving import archive
from audience_pipeline.retention.restoring import Restore
from audience_pipeline.retention.verifying import verify
from audience_pipeline.settings import load_settings
from audience_pipeline.storage.contract import Change
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE
from audience_pipeline_tests.retention.attic import NOW, ended
from audience_pipeline_tests.storage.builders import put, put_references, stored, uuid
from audience_pipeline_tests.storage.writer import PROCESSES, start

USERS = ("ann", "bob/../eve", "c=%d")
ROWS = 90
KILLS, LONGEST_SECONDS = 250, 1.2
SPEED = 3600
"""How much faster time goes by: the readers' hour of grace takes a second."""
COUNTS = "SELECT count(*) AS rows, count(DISTINCT distribution_id) AS keys FROM distributions_all"
PROCESSES.set_forkserver_preload([__name__])


def fill(root: Path) -> None:
    with ParquetStore(root) as store:
        put_references(store, *USERS)
        rows = [ended(n, timedelta(days=80 + n % 40), user=USERS[n % len(USERS)]) for n in range(ROWS)]
        put(store, DISTRIBUTIONS, *rows)


def clock_since(began: float, speed: int) -> Callable[[], datetime]:
    return lambda: NOW + timedelta(seconds=(time.time() - began) * speed)


def work(root: Path, began: float, seed: int, rounds: int, speed: int = SPEED) -> None:
    """Archive, restore some, let some change, again and again, as a busy operator would."""
    now, draw = clock_since(began, speed), random.Random(seed)  # noqa: S311 - repeatable
    with ParquetStore(root) as store:
        for number in range(rounds):
            for _ in archive(store, load_settings(), now, "test"):
                pass
            keys = sorted({uuid(draw.randrange(ROWS)) for _ in range(5)})
            Restore(store, now, "test", now() + timedelta(hours=draw.randint(1, 3))).keys(keys)
            put_ = {"error_details": {"error_message": f"{seed}.{number}"}}
            store.transition(DISTRIBUTIONS, [Change(key, {"status": "failed"}, put_) for key in keys])
            time.sleep(draw.uniform(0, 0.2))


def read(root: Path, stop: Connection, answer: Connection) -> None:
    """Count all distributions again and again, as an analyst does; answer with how often, or the first wrong count."""
    reads = 0
    while not stop.poll():
        (found,) = statements.read(root, COUNTS)[0].to_pylist()
        if found != {"rows": ROWS, "keys": ROWS}:
            answer.send(f"{found} after {reads} reads")
            return
        reads += 1
    answer.send(reads)


@pytest.mark.prove
def test_hundreds_of_kills_with_analysts_reading_lose_and_double_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    root, draw = tmp_path / "data", random.Random(5)  # noqa: S311 - repeatable
    fill(root)
    began, kills = time.time(), 0
    stop, stopped = PROCESSES.Pipe()
    answers, answer = PROCESSES.Pipe()
    reader = start(read, root, stopped, answer)
    for attempt in range(KILLS):
        assert not answers.poll(), answers.recv()
        assert reader.is_alive(), "the reader failed"
        kills += killed(root, began, attempt, seconds=draw.uniform(0, LONGEST_SECONDS))
        if attempt % 10 == 0:
            check(root)
    stop.send("stop")
    assert answers.poll(60)
    reads = answers.recv()
    assert isinstance(reads, int), reads
    record_property("kills", kills)
    record_property("reads", reads)
    assert kills >= 200
    finish(root)


def killed(root: Path, began: float, seed: int, seconds: float) -> bool:
    process = start(work, root, began, seed, 1000)
    process.join(seconds)
    alive = bool(process.is_alive())
    process.kill()
    process.join()
    return alive


def check(root: Path) -> None:
    with ParquetStore(root) as store:
        live, archived = (stored(store, table) for table in (DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE))
        assert len({*live, *archived}) == ROWS
        found = [*store.verify(), *verify(store, lambda: datetime.now(UTC))]
        assert [finding for finding in found if not finding.harmless] == []


def finish(root: Path) -> None:
    """A year later everything is archived, once."""
    later = NOW + timedelta(days=365)
    with ParquetStore(root) as store:
        for _ in range(2):
            for progress in archive(store, load_settings(reader_grace_minutes=0), lambda: later, "test"):
                assert not progress.damaged
        assert stored(store, DISTRIBUTIONS) == {}
        assert len(stored(store, DISTRIBUTIONS_ARCHIVE)) == ROWS
    check(root)


DIED = 77


def die(root: Path, where: int) -> None:
    """Archive, and end the process without any clean-up before the ``where``-th sync or rename."""
    calls = 0
    for name in ("fsync", "replace"):
        original = getattr(os, name)

        def patched(*arguments: object, original: Callable[..., object] = original, **options: object) -> object:
            nonlocal calls
            calls += 1
            if calls == where:
                os._exit(DIED)
            return original(*arguments, **options)

        setattr(os, name, patched)
    work(root, time.time(), 1, rounds=3, speed=1000 * SPEED)


@pytest.mark.slow
def test_an_archive_run_that_dies_before_any_write_is_finished_by_the_next(tmp_path: Path) -> None:
    root, where = tmp_path / "data", 1
    fill(root)
    while where < 400:
        process = start(die, root, where)
        process.join()
        if process.exitcode != DIED:
            assert process.exitcode == 0
            break
        check(root)
        where += 7
    assert where > 50
    finish(root)
