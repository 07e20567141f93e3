"""Finds the Python the emulator runs on.

Belongs here: where an interpreter may be, and whether it really runs. An entry on the PATH proves nothing: a version
manager's stand-in may be there for a Python that is not selected, and a distribution's may lack what makes an
environment. So each candidate is started, and the first that answers is taken; only then is one downloaded.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from uv import find_uv_bin

from audience_pipeline.errors import StorageError

WANTED = (3, 13)
_NAME = ".".join(map(str, WANTED))
_PROBE = f"import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != {WANTED})"
_PROBE_SECONDS = 60


def find_python(downloads: Path) -> Path:
    """Return an interpreter of the wanted version that runs and can make environments.

    Args:
        downloads: directory for one that has to be downloaded; asked only when the machine has none.

    Raises:
        StorageError: the machine has none, and none could be downloaded.
    """
    for candidate in _candidates(downloads):
        if _runs(candidate):
            return candidate
    raise StorageError(
        object=f"Python {_NAME}",
        found="none on this machine, and none could be downloaded",
        expected="one that the emulator can run on",
        remedy=f"Install Python {_NAME} with its venv module, then run `make emulator` again.",
    )


def _candidates(downloads: Path) -> Iterator[Path]:
    """Yield what may be an interpreter, the cheapest to ask first."""
    yield Path(sys.base_prefix, "bin", f"python{_NAME}")
    yield from _of_pyenv()
    on_path = shutil.which(f"python{_NAME}")
    if on_path is not None:
        yield Path(on_path)
    yield from downloads.glob(f"cpython-{_NAME}.*/bin/python{_NAME}")
    yield from _downloaded(downloads)


def _of_pyenv() -> Iterator[Path]:
    """Yield the interpreters themselves, since pyenv's stand-ins run only the version that is selected."""
    program = shutil.which("pyenv")
    if program is None:
        return
    answer = subprocess.run([program, "root"], check=False, capture_output=True, text=True, timeout=_PROBE_SECONDS)
    if answer.returncode == 0:
        yield from sorted(Path(answer.stdout.strip(), "versions").glob(f"{_NAME}.*/bin/python"), reverse=True)


def _downloaded(downloads: Path) -> Iterator[Path]:
    """Download one for this project alone, and yield it."""
    command = [find_uv_bin(), "python", "install", "--no-bin", "--install-dir", str(downloads), _NAME]
    if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode == 0:
        yield from downloads.glob(f"cpython-{_NAME}.*/bin/python{_NAME}")


def _runs(candidate: Path) -> bool:
    try:
        answer = subprocess.run([candidate, "-c", _PROBE], check=False, capture_output=True, timeout=_PROBE_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0
