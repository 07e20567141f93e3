"""Partition files: read whole, written aside, synced, and renamed into place.

Belongs here: bytes on disk. Does not belong here: which rows win, or the index. A reader sees the old file or the new
one and never anything else; a killed writer leaves files in the staging directory and nowhere else.

Most user-months hold a handful of rows, so the cost of a file is its overhead: no dictionaries, and statistics only for
the columns queries filter by.
"""

import ctypes
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from audience_pipeline.errors import CorruptionError, storage_error
from audience_pipeline.storage.parquet.layout import Layout, Partition
from audience_pipeline.tables import Table
from audience_pipeline.tables.arrow import arrow_schema

MONTH = "_month"
"""Name of the helper column that holds a row's month as ``yyyymm`` (0 without months)."""

_FEW = 24


def with_month(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Add the month each row belongs to."""
    if not table.by_month:
        return frame.with_columns(pl.lit(0, pl.Int32).alias(MONTH))
    created = pl.col("created_at")
    return frame.with_columns((created.dt.year() * 100 + created.dt.month()).cast(pl.Int32).alias(MONTH))


def read_files(table: Table, paths: Sequence[Path]) -> pl.DataFrame:
    """Return the rows of partition files, in the order given."""
    if not paths:
        return pl.DataFrame(arrow_schema(table).empty_table())
    try:
        frame = pl.scan_parquet(paths, glob=False, hive_partitioning=False).collect()
    except OSError as error:
        raise storage_error(error, error.filename or paths[0]) from error
    except pl.exceptions.PolarsError as error:
        raise _unreadable(table, paths, error) from error
    return frame


def read_keys(table: Table, paths: Sequence[Path]) -> dict[str, list[str]]:
    """Return the keys in each of ``paths``, by path; a file without rows is left out."""
    if not paths:
        return {}
    scan = pl.scan_parquet(paths, glob=False, hive_partitioning=False, include_file_paths="_path")
    try:
        found = scan.select("_path", table.key).group_by("_path").all().collect()
    except pl.exceptions.PolarsError as error:
        raise _unreadable(table, paths, error) from error
    return {path: keys for path, keys in found.iter_rows()}


def _unreadable(table: Table, paths: Sequence[Path], error: Exception) -> CorruptionError:
    return CorruptionError(
        _first_unreadable(table, paths),
        found=str(error).splitlines()[0],
        expected=f"a Parquet file with the columns of {table.name}",
        remedy="Restore the file from a backup, or run `audience-pipeline verify` to see all damage.",
    )


def _first_unreadable(table: Table, paths: Sequence[Path]) -> Path:
    for path in paths:
        try:
            if pq.read_schema(path).names != list(table.column_names):
                return path
        except (OSError, pa.ArrowException):
            return path
    return paths[0]


class Staging:
    """A directory of one write: files are made in it and then published, or it is dropped."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._directory = layout.staging / uuid4().hex
        self._moves: list[tuple[Path, Path]] = []

    @classmethod
    @contextmanager
    def opened(cls, layout: Layout) -> Iterator["Staging"]:
        """Make the directory, and remove whatever is left in it at the end."""
        staging = cls(layout)
        try:
            staging._directory.mkdir(parents=True)
            yield staging
        except OSError as error:
            raise storage_error(error, error.filename or layout.root) from error
        finally:
            shutil.rmtree(staging._directory, ignore_errors=True)

    def write(
        self, table: Table, frame: pl.DataFrame, empty: Iterable[Partition] = ()
    ) -> dict[Partition, tuple[int, int]]:
        """Stage a file for each partition of ``frame`` and each of ``empty``; return (rows, bytes) of each."""
        frame = frame.sort(["user_id", MONTH, *(["created_at"] if table.by_month else []), table.key])
        runs = frame.group_by(["user_id", MONTH], maintain_order=True).len()
        schema = arrow_schema(table)
        rows = frame.select(table.column_names).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)
        sizes: dict[Partition, tuple[int, int]] = {}
        start = 0
        for user_id, month, length in runs.iter_rows():
            sizes[Partition(user_id, month)] = self._stage(table, Partition(user_id, month), rows.slice(start, length))
            start += length
        for partition in empty:
            sizes[partition] = self._stage(table, partition, schema.empty_table())
        return sizes

    def _stage(self, table: Table, partition: Partition, rows: pa.Table) -> tuple[int, int]:
        return rows.num_rows, self.add(self._layout.path(table, partition), partial(write_parquet, table, rows))

    def add(self, path: Path, write: Callable[[Path], None]) -> int:
        """Stage one file for ``path``, written by ``write`` at the path it is given; return its bytes."""
        staged = self._directory / f"{len(self._moves)}.parquet"
        write(staged)
        self._moves.append((staged, path))
        return staged.stat().st_size

    def publish(self) -> None:
        """Sync the staged files, rename them into place, and sync the directories that name them."""
        root = self._layout.root
        sync_paths((staged for staged, _ in self._moves), root, len(self._moves))
        changed: set[Path] = set()
        for staged, path in self._moves:
            changed.update(make_parents(path, root))
            staged.replace(path)
        sync_paths(changed, root, len(changed))
        self._moves.clear()


def write_parquet(table: Table, rows: pa.Table, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write one file in the store's format."""
    if metadata:
        rows = rows.replace_schema_metadata(dict(metadata))
    filtered = [name for name in (table.key, "user_id", "created_at", *table.cluster_by) if name in table.by_name]
    pq.write_table(rows, path, compression="snappy", use_dictionary=False, write_statistics=filtered)


def make_parents(path: Path, root: Path) -> list[Path]:
    """Make the directories above ``path``; return those whose entries change with it."""
    changed = [path.parent]
    if not path.parent.is_dir():
        missing = [
            parent for parent in path.parents if parent != root and root in parent.parents and not parent.is_dir()
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        changed += [parent.parent for parent in missing]
    return changed


def sync_paths(paths: Iterable[Path], root: Path, count: int) -> None:
    """Make files or directories durable: one by one where they are few, the file system at once where they are many."""
    if count > _FEW:
        _sync_file_system(root)
        return
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sync_file_system(root: Path) -> None:
    """Sync the one file system that holds ``root`` and report its write errors; elsewhere sync them all."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):
        os.sync()
        return
    descriptor = os.open(root, os.O_RDONLY)
    try:
        if libc.syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(root))
    finally:
        os.close(descriptor)
