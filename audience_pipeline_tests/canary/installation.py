"""An installation of its own, whose commands run as processes and whose output is kept beside its files."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from audience_pipeline.settings import Settings, variable
from audience_pipeline_tests.ingest.builders import Record, line, settings_in

API_KEY = 'canary/5f+2c=8&d"q\\z~'
CONFIG_SECRET = "canary config <71aa>&'%40'"  # noqa: S105 - a canary
SECRETS = (API_KEY, CONFIG_SECRET)
PLAIN = {"account_id": "acct", "api_key": API_KEY, "additional_config": {"client_secret": CONFIG_SECRET}}
NONE: Mapping[str, str] = {}


class Installation:
    """Below ``directory``: data, keys, landing, quarantine, what was ``said``; what was sent is beside it."""

    def __init__(self, directory: Path, sent: Path) -> None:
        self.directory, self.sent = directory, sent
        self.settings: Settings = settings_in(directory)
        self.used: set[str] = set()
        self._said = directory / "said"
        self._said.mkdir(parents=True)
        sent.mkdir()

    def run(
        self, *arguments: str, given: bytes = b"", changes: Mapping[str, str] = NONE
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run a command, with settings changed; its output is kept, and whatever went wrong is its own to say."""
        self.used.add(" ".join(arguments[:2]))
        command = [sys.executable, "-m", "audience_pipeline", *arguments]
        done = subprocess.run(
            command, input=given, capture_output=True, env=self._environment(changes), cwd=self.directory, check=False
        )
        count = len(list(self._said.iterdir()))
        told = f"{' '.join(arguments)}\n{done.returncode}\n".encode()
        (self._said / f"{count:03d}.txt").write_bytes(told + done.stdout + b"\n" + done.stderr)
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done

    def ingest(self, table: str, *records: Record | bytes) -> int:
        """Ingest records, or lines, from a file that is not part of the installation; return the exit code."""
        path = self.sent / f"{len(list(self.sent.iterdir())):03d}.ndjson"
        path.write_bytes(b"".join((each if isinstance(each, bytes) else line(each)) + b"\n" for each in records))
        return self.run("ingest", table, str(path)).returncode

    def seal(self, record: Record) -> Record:
        """Return a platform with its credentials sealed by the command that does it."""
        sealed: Record = json.loads(self.run("credentials", "seal", given=line(record)).stdout)
        return sealed

    def _environment(self, changes: Mapping[str, str]) -> dict[str, str]:
        fields = ("data_dir", "landing_dir", "quarantine_dir", "keyset")
        ours = {variable(name): str(getattr(self.settings, name)) for name in fields}
        return os.environ | ours | {variable(name): value for name, value in changes.items()}
