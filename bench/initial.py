"""The initial load: 100,000 rows into about 10,000 new files, durable at the end; and the memory of ten times that.

The other side is polars' own partitioned sink, which writes the same directories without rules, keys or an index,
followed by one sync. Every run writes a directory of its own, and none is removed before the end: a file system that
has just forgotten thousands of files makes new ones slowly.
"""

import os
from itertools import count

import polars as pl

from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import DISTRIBUTIONS
from bench import delta
from bench.measuring import GIB, Result, alternately, at_most, at_most_bytes
from bench.workbench import Workbench


def initial(bench: Workbench) -> list[Result]:
    """Load the small store's rows into an empty store."""
    loaded = bench.small_rows
    frame = pl.DataFrame(pl.from_arrow(delta.with_partition(loaded)))
    numbers = count()

    def ours() -> None:
        with ParquetStore(bench.directory / f"load-{next(numbers)}") as store:
            assert store.upsert(DISTRIBUTIONS, loaded).inserted == len(loaded)

    def theirs() -> None:
        target = pl.PartitionBy(bench.directory / f"sink-{next(numbers)}", key=delta.PARTITION, include_key=True)
        frame.lazy().sink_parquet(target, mkdir=True)
        os.sync()

    load, sink = alternately([ours, theirs], repeats=3)
    files = frame.select(delta.PARTITION).n_unique()
    what = f"initial load, 100k rows over {files:,} files, synced"
    return [at_most(what, 1.5, load, sink, "other: polars' partitioned sink, then one sync")]


def large(bench: Workbench) -> list[Result]:
    """Load ten times as many rows, in a process of its own, and look at its memory."""
    load = bench.large_load
    what = f"initial load, {load.rows:,} rows over {load.files:,} files: peak memory"
    return [
        at_most_bytes(what, 2 * GIB, load.peak, f"{load.seconds:.0f} s; the process reads rows and upserts them once")
    ]
