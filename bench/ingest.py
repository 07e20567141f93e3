"""Ingest of NDJSON into the table, validated, against orjson merely parsing the same file line by line.

Each ingest runs in a process of its own, which reports the seconds between an open store and rows in the table, the
seconds orjson took for the same file right after. Its memory and that of its workers is looked at from outside, many
times a second. The process is started without a main module, which its workers would import.
"""

import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import orjson

from audience_pipeline.demo.generate import DemoWorld, encoded
from audience_pipeline.ingest.files import Landing
from audience_pipeline.ingest.run import ingest_files
from audience_pipeline.settings import Settings
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES
from bench.measuring import GIB, Result, Times, at_most_bytes
from bench.workbench import Workbench

_NOW = datetime(2026, 1, 15, tzinfo=UTC)
_SMALL, _LARGE = 20_000, 100_000
_EVERY_SECONDS = 0.02


class Run(msgspec.Struct):
    """One ingest: records, seconds, processor seconds, orjson's seconds for the same file, peak memory in bytes."""

    records: int
    seconds: float
    processor: float
    parsing: float
    peak: int = 0


def ingest(bench: Workbench) -> list[Result]:
    """Ingest audiences from a file, and from one five times as large."""
    runs = [[_run(bench, count, turn) for turn in range(3)] for count in (_SMALL, _LARGE)]
    ours, parsing = (Times(tuple(getattr(each, name) for each in runs[1])) for name in ("seconds", "parsing"))
    share = parsing.median / ours.median
    what = f"validated ingest of {_LARGE:,} audiences ({_size(bench)} MB of NDJSON) into the table"
    processor = min(each.processor for each in runs[1])
    note = (
        f"{_LARGE / ours.median:,.0f} records/s, {processor:.0f} s of processor time with its imports;"
        " other: orjson parsing the same file line by line, on one core"
    )
    found = [Result(what, str(ours), str(parsing), f"{share:.2f}x as fast", "≥ 0.3x", share >= 0.3, note)]
    for each in (runs[0][0], runs[1][0]):
        peak = f"peak memory of an ingest of {each.records:,} audiences, workers included"
        found.append(at_most_bytes(peak, GIB, each.peak))
    return found


def _run(bench: Workbench, count: int, turn: int) -> Run:
    file = bench.directory / f"audiences-{count}.ndjson"
    if not file.exists():
        file.write_bytes(b"".join(_lines(count)))
    program = "import sys; from bench.ingest import main; main(*sys.argv[1:])"
    arguments = [sys.executable, "-c", program, str(file), str(bench.directory / f"ingest-{count}-{turn}")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, _memory(process.pid))
            time.sleep(_EVERY_SECONDS)
        answer = process.stdout.read() if process.stdout else b""
    return msgspec.structs.replace(msgspec.json.decode(answer, type=Run), peak=peak)


def _memory(pid: int) -> int:
    """Return the bytes a process and its descendants hold now, pages they share counted for each of them."""
    held = 0
    with suppress(FileNotFoundError, ProcessLookupError):
        for number in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            held += _memory(int(number))
        resident = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
        held += 1024 * int(resident[1]) if resident else 0
    return held


def _lines(count: int) -> Iterator[bytes]:
    world = DemoWorld(seed=1, now=_NOW, tenants=40, audience_count=count, distribution_count=0)
    return encoded(world.audiences())


def _size(bench: Workbench) -> str:
    return f"{(bench.directory / f'audiences-{_LARGE}.ndjson').stat().st_size / 1e6:.0f}"


def main(source: str, place: str) -> None:
    """Ingest the file ``source`` into a new store at ``place``, parse it with orjson, and print how long both took."""
    file, directory = Path(source), Path(place)
    settings = Settings(data_dir=directory / "data", landing_dir=directory, quarantine_dir=directory / "quarantine")
    with ParquetStore(settings.data_dir, clock=lambda: _NOW) as store:
        start = time.perf_counter()
        report = ingest_files(Landing(store, settings, lambda: _NOW), AUDIENCES, [file])
        seconds = time.perf_counter() - start
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = sum(each.ru_utime + each.ru_stime for each in usage)
    assert report.inserted == report.read, report
    start = time.perf_counter()
    with file.open("rb") as lines:
        for line in lines:
            orjson.loads(line)
    parsing = time.perf_counter() - start
    print(msgspec.json.encode(Run(report.read, seconds, processor, parsing)).decode())
