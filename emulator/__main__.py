"""The emulator's commands.

``python -m emulator install`` installs it. ``python -m emulator run COMMAND...`` runs a command whose settings name a
fresh one (backend, project, dataset and endpoints), and ends with its exit code. ``keep`` is for `emulator.keeping`.
"""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from audience_pipeline.errors import PipelineError
from audience_pipeline.settings import variable
from emulator.installation import Installation
from emulator.keeping import keep, started_emulator
from emulator.process import Endpoint, clean_environment

DATASET = "audience_pipeline"

_SIGNALLED = 128
"""What a shell adds to the number of the signal that ended a command, for its exit code."""

_INTERRUPTED = _SIGNALLED + signal.SIGINT


def main(arguments: list[str]) -> int:
    """Do what the arguments say; return the exit code."""
    try:
        match arguments:
            case ["install"]:
                Installation().install()
                return 0
            case ["keep", directory]:
                keep(Path(directory))
                return 0
            case ["run", *command] if command:
                return run(command)
    except PipelineError as error:
        sys.stderr.write(f"Error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    sys.stderr.write(f"found {' '.join(arguments) or 'nothing'}, expected `install`, or `run` and a command\n")
    return 2


def run(command: list[str]) -> int:
    """Run a command on an emulator of its own, which is gone afterwards with its data; return its exit code."""
    with (
        tempfile.TemporaryDirectory(prefix="bigquery-", ignore_cleanup_errors=True) as directory,
        started_emulator(Path(directory)) as endpoint,
    ):
        return _ended(subprocess.Popen(command, env=clean_environment() | settings_of(endpoint)))


def _ended(process: "subprocess.Popen[bytes]") -> int:
    """Wait for a command to end; an interrupt from the terminal reaches it too, and is its own to answer."""
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            continue
        return code if code >= 0 else _SIGNALLED - code


def settings_of(endpoint: Endpoint) -> dict[str, str]:
    """Return the variables that send the pipeline to the emulator."""
    return {
        variable("backend"): "bigquery",
        variable("bigquery_project"): endpoint.project,
        variable("bigquery_dataset"): DATASET,
        variable("bigquery_api_endpoint"): endpoint.api,
        variable("bigquery_storage_endpoint"): endpoint.storage,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
