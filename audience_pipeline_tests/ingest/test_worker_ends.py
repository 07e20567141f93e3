"""Ends of worker processes and of those that started them: an error or a clean end, and nothing left behind."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audience_pipeline.errors import StorageError
from audience_pipeline.ingest import workers
from audience_pipeline.ingest.chunks import Chunks
from audience_pipeline.ingest.lines import Block
from audience_pipeline.ingest.records import Records
from audience_pipeline.ingest.rules import Limits
from audience_pipeline.tables import AUDIENCES
from audience_pipeline_tests.ingest.builders import NOW, audience, line

LIMITS = Limits(NOW, 202401)
JUDGES_AND_WAITS = """
import time
from audience_pipeline.ingest.workers import WORTHWHILE_BYTES, judged
from audience_pipeline_tests.ingest.test_worker_ends import LIMITS, blocks, chunks

def wait():
    print("at work", flush=True)
    time.sleep(60)

list(judged(blocks(wait), chunks(), LIMITS, size=WORTHWHILE_BYTES))
"""


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let temporary files be made in a directory of their own."""
    directory = tmp_path / "scratch"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


def chunks() -> Chunks:
    return Chunks(AUDIENCES, Records(AUDIENCES, LIMITS))


def blocks(meanwhile: Callable[[], object]) -> Iterator[Block]:
    """Yield two blocks, and do something while the first is judged."""
    yield Block(1, 0, line(audience(1)) + b"\n")
    meanwhile()
    yield Block(2, 0, line(audience(2)) + b"\n")


def judge(meanwhile: Callable[[], object]) -> None:
    list(workers.judged(blocks(meanwhile), chunks(), LIMITS, size=workers.WORTHWHILE_BYTES))


def test_a_killed_worker_ends_the_landing_with_an_error_that_says_what_to_do(scratch: Path) -> None:
    def kill_workers() -> None:
        for worker in multiprocessing.active_children():
            worker.kill()

    with pytest.raises(StorageError, match=r"audiences, worker process: .*Free some memory and run again"):
        judge(kill_workers)
    assert not list(scratch.iterdir())


def test_all_workers_are_started_before_any_may_die() -> None:
    started = []

    def look() -> None:
        started.extend(multiprocessing.active_children())

    judge(look)
    assert len(started) == workers.PROCESSES


def test_a_scratch_file_that_cannot_be_written_is_an_error_that_names_it(scratch: Path) -> None:
    def remove() -> None:
        for directory in scratch.iterdir():
            shutil.rmtree(directory)

    with pytest.raises(StorageError, match=r"scratch/.*\.arrow: found nothing there"):
        judge(remove)


def test_workers_end_and_clear_up_when_the_process_that_started_them_is_killed(scratch: Path) -> None:
    command = [sys.executable, "-c", JUDGES_AND_WAITS]
    environment = {**os.environ, "TMPDIR": str(scratch)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        # Workers share the pipe: it ends when the last of them did.
        process.communicate(timeout=30)
    assert not list(scratch.iterdir())
