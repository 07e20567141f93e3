"""Loads a large store of ended distributions, or archives what is old in one: in a process of its own.

``python -m bench.archiving load ROWS.arrow DIRECTORY`` and ``python -m bench.archiving archive DIRECTORY NOW``, where
nine of ten rows are older than 90 days by NOW (ISO 8601). Prints how it went, its own peak memory included.
"""

import sys
import time
from datetime import datetime
from pathlib import Path

import msgspec
import polars as pl
import pyarrow as pa

from audience_pipeline.retention.archiving import archive
from audience_pipeline.settings import load_settings
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import DISTRIBUTIONS
from bench.measuring import peak_memory


class Pass(msgspec.Struct):
    """How one process loaded or archived: rows, months they are of, seconds, and the most memory it had in bytes."""

    rows: int
    months: list[int]
    seconds: float
    peak: int


def load(source: Path, root: Path) -> Pass:
    """Load the rows of an Arrow file into an empty store, as failed ones."""
    with pa.memory_map(str(source)) as file, ParquetStore(root) as store:
        frame = pl.DataFrame(pl.from_arrow(pa.ipc.open_file(file).read_all()))
        rows = frame.with_columns(pl.lit("failed").alias("status")).to_arrow(compat_level=pl.CompatLevel.oldest())
        start = time.perf_counter()
        inserted = store.upsert(DISTRIBUTIONS, rows).inserted
        return Pass(inserted, [], time.perf_counter() - start, peak_memory())


def old(root: Path, now: datetime) -> Pass:
    """Archive what is old enough, both phases in one run: readers are given no grace."""
    settings, months, rows = load_settings(reader_grace_minutes=0), set(), 0
    with ParquetStore(root) as store:
        start = time.perf_counter()
        for progress in archive(store, settings, lambda: now, "benchmark"):
            assert not progress.damaged
            months |= {each.month for each in progress.moved}
            rows += sum(each.removed for each in progress.moved)
        return Pass(rows, sorted(months), time.perf_counter() - start, peak_memory())


if __name__ == "__main__":
    what, first, second = sys.argv[1:]
    done = load(Path(first), Path(second)) if what == "load" else old(Path(first), datetime.fromisoformat(second))
    print(msgspec.json.encode(done).decode())
