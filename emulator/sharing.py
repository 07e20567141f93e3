"""Lets several processes use one emulator, and stops it after the last of them.

Belongs here: who starts it, who waits, and when it ends. Does not belong here: how it runs (`emulator.process`).

Every user holds a shared lock on one file. A keeper process, started by the first user, runs the emulator and asks for
that lock exclusively: it gets it when the last user has left, killed or not, and then stops the emulator. So none is
left behind, and no user needs to know of the others.
"""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO

from audience_pipeline.errors import StorageError
from emulator.installation import ROOT, Installation
from emulator.process import Endpoint, running

_ENDPOINT, _KEEPER, _USERS = "endpoint.json", "keeper", "users"
_POLL_SECONDS = 0.1


@contextmanager
def shared_emulator(directory: Path) -> Iterator[Endpoint]:
    """Use the emulator of all processes that name the same directory, started if there is none.

    The last one to leave the block waits until the emulator is gone.

    Args:
        directory: an absolute path on a local file system; keeps the emulator's data and log.

    Raises:
        StorageError: the emulator is not installed, or did not come up.
    """
    _refuse_without_installation()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / _USERS).open("a") as users:
        with _locked(directory / "start"):
            # Waits for a keeper that is stopping: it holds this lock until its emulator is gone.
            fcntl.flock(users, fcntl.LOCK_SH)
            endpoint = _endpoint(directory) or _started_by_keeper(directory)
        try:
            yield endpoint
        finally:
            _leave(directory, users)


def keep(directory: Path) -> None:
    """Start an emulator; return once it answers, leaving behind the process that stops it after its last user."""
    ready, started = os.pipe()
    if os.fork():
        os.close(started)
        os.read(ready, 1)
        return
    # An interrupt of the tests is not for the keeper: it ends once they have.
    os.setsid()
    with (
        _locked(directory / _KEEPER),
        (directory / _USERS).open("a") as users,
        running(Installation(), directory / "data") as (endpoint, process),
    ):
        _write_endpoint(directory, endpoint)
        os.close(started)
        _wait_for_the_last(users, process)
        # No longer to be found before it stops, so that whoever comes now starts another.
        (directory / _ENDPOINT).unlink()


def _wait_for_the_last(users: IO[str], process: "subprocess.Popen[bytes]") -> None:
    """Return when no user is left, or when the emulator ended by itself: then users find it unreachable."""
    while process.poll() is None and not _taken(users):
        time.sleep(_POLL_SECONDS)


def _leave(directory: Path, users: IO[str]) -> None:
    with _locked(directory / "start"):
        last = _taken(users)
        fcntl.flock(users, fcntl.LOCK_UN)
        if last:
            with _locked(directory / _KEEPER):
                pass


def _taken(lock: IO[str]) -> bool:
    """Take a lock exclusively unless another process has it; return whether it is taken."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _started_by_keeper(directory: Path) -> Endpoint:
    log = directory / "keeper.log"
    with log.open("ab") as output:
        command = [sys.executable, "-m", "emulator", "keep", str(directory)]
        subprocess.run(
            command,
            cwd=ROOT,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    endpoint = _endpoint(directory)
    if endpoint is None:
        raise StorageError(
            log,
            found="an emulator that was started and does not run",
            expected="one that answers",
            remedy="Read the log, mend the cause, and run again.",
        )
    return endpoint


def _refuse_without_installation() -> None:
    if not Installation().complete:
        raise StorageError(
            Installation().directory,
            found="no BigQuery emulator, or one of other versions than the locked ones",
            expected="an installed one",
            remedy="Run `make emulator`.",
        )


def _endpoint(directory: Path) -> Endpoint | None:
    try:
        return Endpoint(**json.loads((directory / _ENDPOINT).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _write_endpoint(directory: Path, endpoint: Endpoint) -> None:
    complete = directory / f"{_ENDPOINT}.new"
    complete.write_text(json.dumps(asdict(endpoint)), encoding="utf-8")
    complete.rename(directory / _ENDPOINT)
