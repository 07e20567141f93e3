"""`sandbox`: a platform of one's own on this machine, for rehearsals.

Belongs here: arguments in, the line that says it is ready out. Does not belong here: how it behaves
(`audience_pipeline.sandbox`).
"""

from pathlib import Path
from typing import Annotated

import typer

from audience_pipeline.sandbox import DEFAULT_PORT


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(sandbox)


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes one that is free.")] = (
        DEFAULT_PORT
    ),
    state: Annotated[Path, typer.Option(help="File of what it took; made if it is not there.")] = Path(
        "sandbox.sqlite"
    ),
    faults: Annotated[Path | None, typer.Option(help="JSON array of faults that are on from the start.")] = None,
    processing_seconds: Annotated[float, typer.Option(min=0, help="From taking an audience to its numbers.")] = 1.0,
    approval_seconds: Annotated[float, typer.Option(min=0, help="From the numbers to the decision on it.")] = 1.0,
) -> None:
    """Run a platform that audiences can be delivered to, until interrupted.

    Once it listens it prints one line of JSON on stdout, with its URL.
    """
    from audience_pipeline.sandbox.faults import read_faults
    from audience_pipeline.sandbox.platform import Timing
    from audience_pipeline.sandbox.service import serve

    serve(
        port,
        state,
        Timing(processing_seconds, approval_seconds),
        read_faults(faults) if faults else (),
        ready=lambda url: _print_ready(url, state),
    )


def _print_ready(url: str, state: Path) -> None:
    import json
    import os
    import sys

    sys.stdout.write(json.dumps({"url": url, "state": str(state), "pid": os.getpid()}) + "\n")
    sys.stdout.flush()
