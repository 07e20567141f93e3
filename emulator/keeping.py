"""Gives a process an emulator of its own, which ends when the process does.

Belongs here: start, hand-over of the address, and end, however the user ends. Does not belong here: how it runs
(`emulator.process`).

A keeper process runs the emulator and reads from a pipe whose other end only the user has. The pipe ends when the user
closes it, exits or is killed; then the keeper stops the emulator. So none is left behind. Processes that run side by
side have one each: an emulator is one Python process, in which they would wait for each other.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from audience_pipeline.errors import StorageError
from emulator.installation import ROOT, Installation
from emulator.process import Endpoint, running


@contextmanager
def started_emulator(directory: Path) -> Iterator[Endpoint]:
    """Run an emulator for the time of a block; afterwards it is gone.

    Args:
        directory: an absolute path; keeps the emulator's data and logs, and is made when it is missing.

    Raises:
        StorageError: the emulator is not installed, or did not come up.
    """
    _refuse_without_installation()
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "keeper.log"
    # In a session of its own: an interrupt of the user is not for it, it ends once the user has.
    with (
        log.open("ab") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "emulator", "keep", str(directory)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        ) as keeper,
    ):
        # Leaving this block closes the pipe and waits for the keeper.
        yield _endpoint(keeper, log)


def keep(directory: Path) -> None:
    """Run an emulator until standard input ends, its address on standard output: what the keeper process does."""
    with running(Installation(), directory / "data") as endpoint:
        sys.stdout.write(f"{json.dumps(asdict(endpoint))}\n")
        sys.stdout.flush()
        sys.stdin.read()


def _endpoint(keeper: "subprocess.Popen[str]", log: Path) -> Endpoint:
    line = keeper.stdout.readline() if keeper.stdout is not None else ""
    if not line:
        raise StorageError(
            log,
            found="an emulator that did not come up",
            expected="one that answers",
            remedy="Read the log, mend the cause, and run again.",
        )
    return Endpoint(**json.loads(line))


def _refuse_without_installation() -> None:
    if not Installation().complete:
        raise StorageError(
            Installation().directory,
            found="no BigQuery emulator, or one of other versions than the locked ones",
            expected="an installed one",
            remedy="Run `make emulator`.",
        )
