"""The directory all benchmarks work in, and the stores several of them share.

Belongs here: building a store of a scale once, and clearing everything away. Does not belong here: measuring.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import polars as pl
import pyarrow as pa

from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, PLATFORMS
from bench import delta, rows


class Load(msgspec.Struct):
    """How one process loaded a store's distributions: rows, files, seconds, and the most memory it had in bytes."""

    rows: int
    files: int
    seconds: float
    peak: int


class Workbench:
    """A temporary directory with what was built in it so far."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator["Workbench"]:
        """Make the directory, and remove it at the end."""
        with TemporaryDirectory(prefix="audience-pipeline-bench-") as name:
            yield cls(Path(name))

    @cached_property
    def small_rows(self) -> pa.Table:
        """The distributions of the small store."""
        return rows.distributions(rows.SMALL)

    @cached_property
    def small(self) -> Path:
        """The data directory of a store with 100,000 distributions, and audiences, in about 10,000 files each."""
        root = self.directory / "small"
        with ParquetStore(root) as store:
            store.upsert(DISTRIBUTIONS, self.small_rows)
        _complete(root, self.small_rows)
        return root

    @cached_property
    def large_load(self) -> Load:
        """The load of the large store's distributions, done in a process of its own."""
        loaded = rows.distributions(rows.LARGE)
        with pa.OSFile(str(self._arrow), "wb") as file, pa.ipc.new_file(file, loaded.schema) as writer:
            writer.write_table(loaded)
        arguments = [sys.executable, "-m", "bench.loading", str(self._arrow), str(self.directory / "large")]
        return msgspec.json.decode(subprocess.run(arguments, check=True, capture_output=True).stdout, type=Load)

    @property
    def _arrow(self) -> Path:
        return self.directory / "large.arrow"

    @cached_property
    def large(self) -> Path:
        """The data directory of a store ten times as large as the small one."""
        root = self.directory / "large"
        assert self.large_load.rows
        with pa.memory_map(str(self._arrow)) as file:
            _complete(root, pa.ipc.open_file(file).read_all())
        return root

    @cached_property
    def delta(self) -> Path:
        """A Delta table of the small store's rows."""
        root = self.directory / "delta"
        delta.create(root, self.small_rows)
        return root


def _complete(root: Path, distributions: pa.Table) -> None:
    """Add platforms for each user, and an audience for each month a user has distributions in."""
    created = pl.col("created_at").dt.truncate("1mo")
    owned = pl.DataFrame(pl.from_arrow(distributions)).select("user_id", created).unique().sort("user_id", "created_at")
    places = [(user, moment) for user, moment in owned.iter_rows() if user != rows.SUBJECT]
    with ParquetStore(root) as store:
        store.upsert(AUDIENCES, rows.audiences(rows.subject_places(48), seed=0))
        store.upsert(AUDIENCES, rows.audiences(places))
        store.upsert(PLATFORMS, rows.platforms([rows.SUBJECT], seed=0))
        store.upsert(PLATFORMS, rows.platforms(sorted({user for user, _ in places})))
