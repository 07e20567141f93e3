"""A command on an emulator of its own: it gets the settings, answers for itself, and takes the emulator with it."""

import os
import signal
import subprocess
import sys

import pytest

from audience_pipeline_tests.emulator.test_keeping import PATIENCE_SECONDS, _installed, address, answers
from emulator.installation import ROOT

__all__ = ["_installed"]

COMMAND = """
import signal, sys
from audience_pipeline.settings import load_settings
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start with it ignored
try:
    print(load_settings(backend="bigquery").bigquery_api_endpoint, flush=True)
    sys.stdin.read()
except KeyboardInterrupt:
    sys.exit(7)
"""


def started() -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "emulator", "run", sys.executable, "-c", COMMAND]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.mark.slow
def test_an_interrupt_is_the_commands_and_the_emulator_ends_with_it() -> None:
    with started() as process:
        api = address(process)
        assert answers(api)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 7
    assert not answers(api)


@pytest.mark.slow
def test_a_command_that_is_killed_ends_with_the_exit_code_a_shell_gives() -> None:
    command = [sys.executable, "-m", "emulator", "run", "sh", "-c", "kill -9 $$"]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=PATIENCE_SECONDS).returncode == 128 + signal.SIGKILL
