"""Archiving nine of ten rows of a large store, against loading it, and a day later.

Both in processes of their own, one after the other, and each row is archived all the way: copied, read back, noted in
the manifest and removed.
"""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import polars as pl
import pyarrow as pa

from bench import rows
from bench.archiving import Pass
from bench.measuring import GIB, Result, Times, at_most, at_most_bytes
from bench.workbench import Workbench

_OLD = 0.9
_SINCE = timedelta(days=90)


def retention(bench: Workbench) -> list[Result]:
    """Load a million ended rows, archive nine of ten of them, and what is old a day later."""
    loaded, source, root = (
        rows.distributions(rows.LARGE),
        bench.directory / "retired.arrow",
        bench.directory / "retired",
    )
    with pa.OSFile(str(source), "wb") as file, pa.ipc.new_file(file, loaded.schema) as writer:
        writer.write_table(loaded)
    created = pl.Series(loaded.column("created_at")).sort()
    now: datetime = created[int(len(created) * _OLD)].replace(tzinfo=UTC) + _SINCE
    load = _run("load", source, root)
    first = _run("archive", root, now)
    second = _run("archive", root, now + timedelta(days=1))
    what = f"archiving {first.rows:,} of {load.rows:,} rows, both phases"
    boundary = [(now - _SINCE + timedelta(days=days)).strftime("%Y%m") for days in (0, 1)]
    touched = sorted(set(map(str, second.months)))
    return [
        at_most(what, 3, Times((first.seconds,)), Times((load.seconds,)), "other: our own initial load of these rows"),
        at_most_bytes(f"{what}: peak memory", GIB, first.peak),
        Result(
            f"a day later, {second.rows:,} rows: months touched",
            ", ".join(touched),
            "",
            f"{second.seconds:.1f} s",
            "the boundary's only",
            set(touched) <= set(boundary),
        ),
    ]


def _run(*arguments: str | Path | datetime) -> Pass:
    texts = [each.isoformat() if isinstance(each, datetime) else str(each) for each in arguments]
    command = [sys.executable, "-m", "bench.archiving", *texts]
    return msgspec.json.decode(subprocess.run(command, check=True, capture_output=True).stdout, type=Pass)
