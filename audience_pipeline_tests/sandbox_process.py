"""A sandbox as a process of its own, for tests of it and of what talks to it."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Self

_DEADLINE = 20.0


class Sandbox:
    """A running sandbox; its state outlives it, so another one can be started on it.

    It takes and decides at once unless ``options`` say otherwise.
    """

    def __init__(self, state: Path, *options: str) -> None:
        command = [sys.executable, "-m", "audience_pipeline", "sandbox", "--port", "0", "--state", str(state)]
        timing = ["--processing-seconds", "0", "--approval-seconds", "0"]
        self.process = subprocess.Popen(
            [*command, *timing, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate(timeout=_DEADLINE)[1]
        self.url = str(json.loads(line)["url"])

    def faults(self, *faults: dict[str, Any]) -> list[dict[str, Any]]:
        """Switch these faults on, and all others off; return those that are on."""
        request = urllib.request.Request(f"{self.url}/admin/faults", json.dumps(faults).encode(), method="PUT")  # noqa: S310
        return list(self._answer(request)["faults"])

    def audiences(self) -> list[dict[str, Any]]:
        """Return what is in effect."""
        return list(self._answer(f"{self.url}/admin/audiences")["audiences"])

    def audience(self, key: str) -> dict[str, Any] | None:
        """Return what is in effect under a key."""
        found = [audience for audience in self.audiences() if audience["idempotency_key"] == key]
        assert len(found) < 2
        return found[0] if found else None

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """End the process; return its exit code and what it said on stderr."""
        self.process.send_signal(how)
        _, said = self.process.communicate(timeout=_DEADLINE)
        return self.process.returncode, said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.communicate(timeout=_DEADLINE)

    @staticmethod
    def _answer(request: urllib.request.Request | str) -> dict[str, Any]:
        with urllib.request.urlopen(request, timeout=_DEADLINE) as answer:  # noqa: S310 - this machine's
            return dict(json.loads(answer.read()))
