"""The directory all benchmarks work in, and the stores several of them share.

Belongs here: building a store of a scale once, and clearing everything away. Does not belong here: measuring.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import DISTRIBUTIONS
from bench import delta, rows


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
        """The data directory of a store with 100,000 distributions in about 10,000 files."""
        root = self.directory / "small"
        with ParquetStore(root) as store:
            store.upsert(DISTRIBUTIONS, self.small_rows)
        return root

    @cached_property
    def delta(self) -> Path:
        """A Delta table of the small store's rows."""
        root = self.directory / "delta"
        delta.create(root, self.small_rows)
        return root

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """Give a directory that does not exist yet, and remove what is made there."""
        path = self.directory / name
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
