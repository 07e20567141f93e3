"""A writer that is killed at a random instant loses nothing, doubles nothing, and is finished by running again."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline_tests.storage.builders import NOW, put_references
from audience_pipeline_tests.storage.model import Model
from audience_pipeline_tests.storage.writer import (
    PROCESSES,
    USERS,
    Step,
    check_agrees,
    check_whole,
    new_model,
    run_steps,
    start,
)


def kill_writer(root: Path, first: int, seconds: float) -> int:
    """Start a writer at a step, kill it after some time, and return the step it was in."""
    here, there = PROCESSES.Pipe(duplex=False)
    process = start(run_steps, root, first, there)
    there.close()
    step = here.recv()
    time.sleep(seconds)
    process.kill()
    process.join()
    try:
        while True:
            step = here.recv()
    except EOFError:
        return int(step)


def check_readable(root: Path) -> None:
    """Read every live file with a program that knows nothing of the store."""
    for path in root.rglob("user_id=*/**/*.parquet"):
        pq.ParquetFile(path).read()


def survive(root: Path, kills: int, longest: float) -> int:
    """Kill a writer again and again, and hold the store against the model each time; return the steps written."""
    draw = random.Random(kills)  # noqa: S311 - a reproducible sequence
    model, number = new_model(), 0
    with ParquetStore(root, clock=lambda: NOW) as store:
        put_references(store, *USERS)
        for _ in range(kills):
            interrupted = kill_writer(root, number, draw.uniform(0, longest))
            check_readable(root)
            number = finish(store, model, number, interrupted)
    return number


def finish(store: ParquetStore, model: Model, first: int, interrupted: int) -> int:
    """Do the interrupted step again and compare; return the next step."""
    for number in range(first, interrupted + 1):
        Step(number).apply(model)
    check_whole(store)
    Step(interrupted).write(store)
    check_agrees(store, model)
    check_whole(store)
    return interrupted + 1


def test_a_killed_writer_loses_nothing_and_running_again_finishes_its_work(tmp_path: Path) -> None:
    assert survive(tmp_path / "data", kills=15, longest=0.15) > 15


@pytest.mark.prove
def test_hundreds_of_kills_lose_nothing(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    kills = 400
    steps = survive(tmp_path / "data", kills=kills, longest=0.4)
    record_property("kills", kills)
    record_property("steps", steps)
