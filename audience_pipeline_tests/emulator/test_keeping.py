"""An emulator for a process: there while it is used, gone when its user has left, failed or was killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from audience_pipeline.errors import StorageError
from audience_pipeline_tests.bigquery import unavailable
from emulator.installation import ROOT, Installation
from emulator.keeping import started_emulator
from emulator.process import clean_environment

PATIENCE_SECONDS = 60

USER = """
import pathlib, sys
from emulator.keeping import started_emulator
with started_emulator(pathlib.Path(sys.argv[1])) as endpoint:
    print(endpoint.api, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _installed() -> None:
    if not Installation().complete:
        unavailable("found no emulator, expected one that `make emulator` installed")


def user(directory: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", USER, str(directory)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def address(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def answers(api: str) -> bool:
    try:
        with urlopen(f"{api}/bigquery/v2/projects") as answer:  # noqa: S310 - our own address
            return bool(json.load(answer))
    except OSError:
        return False


def test_it_answers_inside_the_block_and_is_gone_afterwards(tmp_path: Path) -> None:
    with started_emulator(tmp_path) as endpoint:
        assert answers(endpoint.api)
    assert not answers(endpoint.api)


def test_a_killed_user_leaves_no_emulator_behind(tmp_path: Path) -> None:
    with user(tmp_path) as process:
        api = address(process)
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while answers(api):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_nothing_of_the_environment_that_google_reads_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "key.json")
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "http://elsewhere")
    reaching = clean_environment()
    assert {"GOOGLE_APPLICATION_CREDENTIALS", "BIGQUERY_EMULATOR_HOST"}.isdisjoint(reaching)
    assert reaching["PATH"] == os.environ["PATH"]


def test_one_that_does_not_come_up_is_named_with_its_log(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a directory is to be", encoding="utf-8")
    with pytest.raises(StorageError, match=r"keeper\.log: found an emulator that did not come up"):  # noqa: SIM117
        with started_emulator(tmp_path):
            pass


def test_one_that_is_not_installed_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emulator.keeping.Installation", lambda: Installation(tmp_path / "nowhere"))
    with (
        pytest.raises(StorageError, match=r"found no BigQuery emulator.*Run `make emulator`"),
        started_emulator(tmp_path),
    ):
        pass
