"""Importing the code location: processor time of fresh processes, against importing its three large libraries."""

import resource
import subprocess
import sys

from bench.measuring import Result, Times, at_most
from bench.workbench import Workbench

_OURS = "import audience_pipeline.definitions"
_LIBRARIES = "import dagster, duckdb, polars"
_REPEATS = 7


def importing(bench: Workbench) -> list[Result]:
    """Import both in turns; the first turn, which fills the file system's cache, is not counted."""
    found: dict[str, list[float]] = {_OURS: [], _LIBRARIES: []}
    for turn in range(_REPEATS + 1):
        for statement, seconds in found.items():
            spent = _processor_seconds(statement, bench)
            if turn:
                seconds.append(spent)
    ours, libraries = (Times(tuple(seconds)) for seconds in found.values())
    return [at_most("importing the code location, processor time", 1.3, ours, libraries, f"other: `{_LIBRARIES}`")]


def _processor_seconds(statement: str, bench: Workbench) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True, env={"DAGSTER_HOME": str(bench.directory)})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
