"""The sandbox as a process: it listens, says so, and ends on a signal.

Belongs here: starting, stopping, and the line that says it is ready. Does not belong here: anything it answers.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from audience_pipeline.errors import UnavailableError
from audience_pipeline.sandbox.faults import Fault, FaultPlan
from audience_pipeline.sandbox.platform import Platform, Timing
from audience_pipeline.sandbox.server import SandboxServer
from audience_pipeline.sandbox.state import State


def serve(port: int, state: Path, timing: Timing, faults: Iterable[Fault], *, ready: Callable[[str], object]) -> None:
    """Serve until the process is interrupted or asked to terminate; call it in the main thread.

    Args:
        port: where to listen on 127.0.0.1; 0 for any that is free.
        state: its file, made if it is not there.
        timing: how long the platform takes.
        faults: those switched on at the start.
        ready: told the URL, once it listens.

    Raises:
        UnavailableError: the port is taken.
        StorageError: the file cannot be used.
    """
    kept = State(state)
    try:
        server = _listening(port, Platform(kept, timing, time.time), FaultPlan(faults))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: server.stopping.set())
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        ready(server.url)
        server.stopping.wait()
        server.shutdown()
        server.server_close()
    finally:
        kept.close()


def _listening(port: int, platform: Platform, faults: FaultPlan) -> SandboxServer:
    try:
        return SandboxServer(port, platform, faults)
    except OSError as error:
        wanted = f"port {port}"
        raise UnavailableError(
            wanted,
            found=error.strerror or str(error),
            expected="a port that is free",
            remedy="Name another one with --port; 0 takes any that is free.",
        ) from None
