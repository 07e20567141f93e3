"""Installs the emulator into a directory of its own, from locked files only.

Belongs here: what an installation consists of, and whether it is complete. Does not belong here: running it.

An installation is the environment, and a home directory with the database extensions where the emulator looks for
them, so that it never asks a server for one. The lock file's digest is written last: an installation that was
interrupted, or whose lock has changed since, counts as none and is made anew.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audience_pipeline.errors import StorageError, storage_errors
from emulator.interpreter import find_python

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements-emulator.lock"

_WHERE_EXTENSIONS_GO = """
import duckdb
version, platform = duckdb.sql("SELECT version(), (FROM pragma_platform())").fetchone()
print(f".duckdb/extensions/{version}/{platform}")
"""


@dataclass(frozen=True, slots=True)
class Installation:
    """One place the emulator is installed at, or is to be."""

    directory: Path = ROOT / ".emulator"

    @property
    def python(self) -> Path:
        """The Python of the emulator's environment."""
        return self._environment / "bin" / "python"

    @property
    def home(self) -> Path:
        """The home directory it runs in, so that it sees nothing of the user's."""
        return self.directory / "home"

    @property
    def complete(self) -> bool:
        """Whether everything is there, in the versions locked now."""
        return self._stamp.is_file() and self._stamp.read_text(encoding="utf-8") == _lock_digest()

    def install(self) -> None:
        """Make the installation unless it is complete.

        Raises:
            StorageError: no Python for it, or the packages could not be installed.
        """
        if self.complete:
            return
        self._say(f"Installing the BigQuery emulator into {self.directory}; the first time takes a minute or two.")
        python = find_python(self.directory / "python")
        for old in (self._environment, self.home):
            shutil.rmtree(old, ignore_errors=True)
        self._run([python, "-m", "venv", self._environment], "the environment to be made")
        pip = (self.python, "-m", "pip", "--disable-pip-version-check")
        locked = ("install", "-qq", "--no-deps", "--require-hashes", "--requirement", LOCK)
        self._run((*pip, *locked), "the locked packages to be installed")
        self._copy_extensions()
        self._stamp.write_text(_lock_digest(), encoding="utf-8")

    @property
    def _environment(self) -> Path:
        return self.directory / "venv"

    @property
    def _stamp(self) -> Path:
        return self.directory / "installed"

    def _copy_extensions(self) -> None:
        where = subprocess.run([self.python, "-c", _WHERE_EXTENSIONS_GO], check=True, capture_output=True, text=True)
        target = self.home / where.stdout.strip()
        with storage_errors(target):
            target.mkdir(parents=True)
            for extension in self._environment.rglob("*.duckdb_extension"):
                shutil.copy2(extension, target)

    def _run(self, command: Sequence[str | Path], expected: str) -> None:
        code = subprocess.run(command, check=False, stdout=sys.stderr).returncode
        if code:
            raise StorageError(
                self.directory,
                found=f"exit code {code} of `{' '.join(map(str, command[:4]))} ...`",
                expected=expected,
                remedy="Mend what the lines above say, then run `make emulator` again.",
            )

    @staticmethod
    def _say(text: str) -> None:
        sys.stderr.write(f"{text}\n")


def _lock_digest() -> str:
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()
