"""The Python of the emulator: one that runs, wherever it is."""

from pathlib import Path

import pytest

from audience_pipeline.errors import StorageError
from emulator import interpreter


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the one directory of the PATH, of a machine with no Python and no network."""
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    monkeypatch.setattr("sys.base_prefix", str(tmp_path / "other"))
    monkeypatch.setattr(interpreter, "find_uv_bin", lambda: program(tmp_path / "uv", "exit 1"))
    return tmp_path / "bin"


def test_a_stand_in_that_does_not_run_is_passed_over(empty_machine: Path, tmp_path: Path) -> None:
    program(empty_machine / "python3.13", "exit 127")
    kept = program(tmp_path / "downloads/cpython-3.13.1-linux/bin/python3.13", "exit 0")
    assert interpreter.find_python(tmp_path / "downloads") == kept


def test_the_version_managers_own_interpreter_is_taken_before_its_stand_in(empty_machine: Path, tmp_path: Path) -> None:
    program(empty_machine / "python3.13", "exit 0")
    program(empty_machine / "pyenv", f"echo {tmp_path}/pyenv")
    own = program(tmp_path / "pyenv/versions/3.13.2/bin/python", "exit 0")
    assert interpreter.find_python(tmp_path / "downloads") == own


@pytest.mark.usefixtures("empty_machine")
def test_a_machine_without_one_and_without_network_is_told_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"Python 3\.13: found none on this machine.*Install Python 3\.13"):
        interpreter.find_python(tmp_path / "downloads")
