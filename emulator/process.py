"""Runs one emulator process: started, waited for until it answers, and stopped.

Belongs here: the process and its surroundings. Does not belong here: when it is to end (`emulator.keeping`).

Nothing of the machine reaches it: it gets a home of its own, and no variable that Google's libraries read, since
credentials lying about would hide that a caller brings none.
"""

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from audience_pipeline.errors import StorageError
from emulator.installation import Installation

PROJECT = "test"
SERVING = Path(__file__).with_name("serving.py")
CALLER = f"serviceAccount:audience-pipeline-writer@{PROJECT}.iam.gserviceaccount.com"
"""Whom it takes a caller without credentials for: the account the pipeline writes as."""

_HOST = "127.0.0.1"
_START_SECONDS = 120
_STOP_SECONDS = 30
_ATTEMPTS = 3
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a running emulator answers.

    ``api`` is the address of the REST interface (a URL), ``storage`` that of the Storage Read and Write API
    (``host:port``, without TLS), ``project`` the one project it has.
    """

    api: str
    storage: str
    project: str


@contextmanager
def running(installation: Installation, data: Path) -> Iterator[Endpoint]:
    """Run an emulator on an empty directory for the time of a block.

    Args:
        installation: a complete one.
        data: directory for its data and its log; made when it is missing.

    Raises:
        StorageError: it did not come up; the error names its log.
    """
    data.mkdir(parents=True, exist_ok=True)
    endpoint, process = _started(installation, data)
    try:
        yield endpoint
    finally:
        _stop(process)


def _started(installation: Installation, data: Path) -> tuple[Endpoint, "subprocess.Popen[bytes]"]:
    """Start it; once more where another program took one of the ports between the choice and the start."""
    for _ in range(_ATTEMPTS):
        port, grpc_port = _free_ports()
        process = _spawn(installation, data, port, grpc_port)
        if _answers(process, port):
            return Endpoint(f"http://{_HOST}:{port}", f"{_HOST}:{grpc_port}", PROJECT), process
        _stop(process)
    raise StorageError(
        data / "emulator.log",
        found="an emulator that did not come up",
        expected=f"an answer within {_START_SECONDS} seconds",
        remedy="Read the log; if the installation is broken, remove .emulator and run `make emulator`.",
    )


def _spawn(installation: Installation, data: Path, port: int, grpc_port: int) -> "subprocess.Popen[bytes]":
    files = data / "gcs"
    files.mkdir(exist_ok=True)
    arguments = ["--host", _HOST, "--port", str(port), "--grpc-port", str(grpc_port), "--project", PROJECT]
    own = {"HOME": str(installation.home), "GCS_LOCAL_ROOT": str(files), "CALLER": CALLER}
    with (data / "emulator.log").open("ab") as log:
        return subprocess.Popen(
            [installation.python, "-I", SERVING, *arguments, "--data-dir", data],
            env=clean_environment() | own,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what Google's libraries would read from it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("GOOGLE_", "BIGQUERY_"))}


def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection(_HOST, port, timeout=_START_SECONDS)
        try:
            connection.request("GET", "/bigquery/v2/projects")
            if connection.getresponse().status == http.client.OK:
                return True
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(_POLL_SECONDS)
    return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind((_HOST, 0))
        return first.getsockname()[1], second.getsockname()[1]
