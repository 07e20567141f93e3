"""A landing and a fold in a process of its own, which can be told to die at one step.

Run as ``python -m audience_pipeline_tests.ingest.crashing DIRECTORY [STEP [NUMBER]]``: the process kills itself with
SIGKILL when the step is about to be done for the given time.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audience_pipeline.ingest import files
from audience_pipeline.ingest.quarantine import Quarantine
from audience_pipeline.storage.parquet import landing, upsert
from audience_pipeline.storage.parquet.files import Staging
from audience_pipeline.storage.parquet.landing import ParquetLanding
from audience_pipeline.storage.parquet.state import State
from audience_pipeline.tables import AUDIENCES
from audience_pipeline_tests.ingest.conftest import Place

STEPS: dict[str, tuple[Any, str]] = {
    "keep what is refused": (Quarantine, "put"),
    "accept keys": (State, "accept"),
    "stage rows": (ParquetLanding, "stage"),
    "list the parts": (landing, "sync_paths"),
    "publish parts": (ParquetLanding, "_publish"),
    "rename a part": (landing, "make_parents"),
    "upsert": (upsert, "upsert"),
    "replace files": (Staging, "publish"),
    "tell the index": (State, "commit"),
    "mark the file folded": (ParquetLanding, "mark_folded"),
    "move the file away": (files.Landing, "set_aside"),
}


def main(directory: str, step: str | None = None, number: str = "1") -> None:
    """Ingest the files that wait for audiences, as one process does."""
    if step is not None:
        _die_before(step, int(number))
    place = Place(Path(directory))
    waiting = sorted((place.settings.landing_dir / AUDIENCES.name).glob("*.ndjson"))
    report = place.ingest_file(AUDIENCES.name, *waiting)
    place.store.close()
    print(report.read, report.inserted, report.rejected, report.errors)  # noqa: T201 - read by the test


def _die_before(step: str, number: int) -> None:
    owner, name = STEPS[step]
    original: Callable[..., Any] = getattr(owner, name)
    left = number

    def dying(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - any function's
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **named)

    setattr(owner, name, dying)


if __name__ == "__main__":
    main(*sys.argv[1:])
