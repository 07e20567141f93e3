"""Partition files: read whole, written aside, synced, and renamed into place.

Belongs here: rows as bytes. Does not belong here: which rows win, the index, or how bytes are made durable. A reader
sees the old file or the new one and never anything else; a killed writer leaves files in the staging directory and
nowhere else.

Most user-months hold a handful of rows, so the cost of a file is its overhead: no dictionaries, and statistics only for
the columns queries filter by.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from audience_pipeline.errors import CorruptionError, storage_error
from audience_pipeline.storage.months import MONTH
from audience_pipeline.storage.parquet.durable import publish, write_file
from audience_pipeline.storage.parquet.layout import Layout, Partition, relative_path
from audience_pipeline.tables import Table
from audience_pipeline.tables.arrow import arrow_schema, without_rows

PATH = "_path"
"""Name of the helper column that holds the path of a row's file."""

_THREADS, _MANY = 2, 64
Item = TypeVar("Item")
Done = TypeVar("Done")


def read_files(table: Table, paths: Sequence[Path]) -> pl.DataFrame:
    """Return the rows of partition files, in the order given."""
    if not paths:
        return pl.DataFrame(without_rows(arrow_schema(table)))
    try:
        frame = pl.scan_parquet(list(paths), glob=False, hive_partitioning=False).collect(engine="in-memory")
    except OSError as error:
        raise storage_error(error, error.filename or paths[0]) from error
    except pl.exceptions.PolarsError as error:
        raise _unreadable(table, paths, error) from error
    return frame


def read_by_path(table: Table, paths: Sequence[Path], columns: Sequence[str]) -> pl.DataFrame:
    """Return some columns of partition files, and in ``_path`` the file each row is in; ``paths`` are not none."""
    scan = pl.scan_parquet(list(paths), glob=False, hive_partitioning=False, include_file_paths=PATH)
    try:
        return scan.select(PATH, *columns).collect(engine="in-memory")
    except OSError as error:
        raise storage_error(error, error.filename or paths[0]) from error
    except pl.exceptions.PolarsError as error:
        raise _unreadable(table, paths, error) from error


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
        self._root = str(layout.root)
        self._directory = str(layout.staging / uuid4().hex)
        self._numbers = count()
        self._moves: list[tuple[str, str]] = []

    @classmethod
    @contextmanager
    def opened(cls, layout: Layout) -> Iterator["Staging"]:
        """Make the directory, and remove whatever is left in it at the end."""
        staging = cls(layout)
        try:
            Path(staging._directory).mkdir(parents=True)
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
        rows = frame.select(table.column_names).rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)
        parts: dict[Partition, pa.Table] = {}
        start = 0
        for user_id, month, length in runs.iter_rows():
            parts[Partition(user_id, month)] = rows.slice(start, length)
            start += length
        encode = compacted if table.compact else encoded
        statistics = _filtered(table)

        def stage(part: tuple[Partition, pa.Table]) -> tuple[Partition, tuple[int, int]]:
            partition, held = part
            return partition, (held.num_rows, self.add(self._path(table, partition), encode(held, statistics)))

        nothing = encode(without_rows(schema), statistics)
        emptied = {partition: (0, self.add(self._path(table, partition), nothing)) for partition in empty}
        return emptied | dict(_each(stage, list(parts.items())))

    def _path(self, table: Table, partition: Partition) -> str:
        return f"{self._root}/{relative_path(table, partition)}"

    def add(self, path: str, content: pa.Buffer) -> int:
        """Stage the file that is to be at ``path``, below the data directory; return its bytes. Safe in threads."""
        staged = f"{self._directory}/{next(self._numbers)}.parquet"
        size = write_file(staged, content)
        self._moves.append((staged, path))
        return size

    def publish(self) -> None:
        """Make the staged files durable in their places."""
        publish(self._moves, self._root)
        self._moves.clear()


def _each(run: Callable[[Item], Done], items: Sequence[Item]) -> Iterable[Done]:
    """Return what ``run`` makes of each item, in any order.

    Many go in threads: files are encoded outside Python and made by the system, both without Python's lock.
    """
    if len(items) < _MANY:
        return map(run, items)
    with ThreadPoolExecutor(_THREADS) as pool:
        portions = [items[first::_THREADS] for first in range(_THREADS)]
        return chain.from_iterable(pool.map(lambda portion: [run(item) for item in portion], portions))


def encoded(rows: pa.Table, statistics: bool | Sequence[str] = True) -> pa.Buffer:
    """Return the bytes of a Parquet file of ``rows``; ``statistics`` names the columns to keep some of."""
    return _encoded(rows, compression="snappy", use_dictionary=False, write_statistics=statistics)


def compacted(rows: pa.Table, statistics: bool | Sequence[str] = True) -> pa.Buffer:
    """Return the same, smaller: for files that are kept for long and written once or twice."""
    options = {"compression": "zstd", "compression_level": 3, "use_dictionary": rows.num_rows >= _REPEATING}
    return _encoded(rows, write_statistics=statistics, **options)


_REPEATING = 100
"""Rows from which on values repeat often enough for dictionaries."""


def _encoded(rows: pa.Table, **options: Any) -> pa.Buffer:  # noqa: ANN401 - pyarrow's options
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, rows.schema, **options) as writer:
        writer.write_table(rows)
    return sink.getvalue()


def write_parquet(table: Table, rows: pa.Table, path: Path, metadata: Mapping[str, str]) -> None:
    """Write one file in the store's format, with ``metadata`` on its schema; it is not synced yet."""
    write_file(path, encoded(rows.replace_schema_metadata(dict(metadata)), _filtered(table)))


def _filtered(table: Table) -> list[str]:
    """Return the columns queries filter by."""
    names = dict.fromkeys((table.key, "user_id", "created_at", *table.cluster_by))
    return [name for name in names if name in table.by_name]
