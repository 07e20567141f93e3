"""Landed parts: their place, their metadata, and reading many of them in bounded memory.

Belongs here: what can be said of parts without the ledger. Does not belong here: which parts count (:mod:`.landing`).
"""

import math
import shutil
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from uuid import uuid4

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from audience_pipeline.errors import CorruptionError, storage_errors
from audience_pipeline.storage.ledger import LedgerEntry
from audience_pipeline.storage.months import MONTH, with_month
from audience_pipeline.tables import Table
from audience_pipeline.tables.arrow import arrow_schema, without_rows

GROUP_BYTES = 24 * 2**20
"""Uncompressed bytes of landed records that are held at once; merging them takes a small multiple."""
_MOST_BUCKETS = 128
"""Files a month is split into at most, all of them open at once."""


def part_path(table: Table, number: int, sequence: int, month: int) -> Path:
    """Return the path of a part, relative to the data directory; ``month`` is 0 without months."""
    name = f"{number:08d}-{sequence:06d}-{month}.parquet"
    if not table.by_month:
        return Path(table.name, name)
    return Path(table.name, f"year={month // 100:04d}", f"month={month % 100:02d}", name)


def month_of_part(path: Path) -> int:
    """Return the month in a part's name."""
    return int(path.stem.rpartition("-")[2])


def metadata_of(entry: LedgerEntry, month: int) -> dict[str, str]:
    """Return what a part says about the file it came from."""
    return {
        "ledger_number": str(entry.number),
        "ledger_table": entry.table,
        "ledger_digest": entry.digest,
        "ledger_name": entry.name,
        "month": str(month),
    }


def by_month(table: Table, rows: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """Yield the rows of each month with the month; all rows with 0 where the table has no months."""
    if not table.by_month:
        yield 0, rows
        return
    created = pl.Series("created_at", rows.column("created_at"))
    months = with_month(table, created.to_frame())[MONTH]
    for month in months.unique().sort():
        yield month, rows.filter((months == month).to_arrow())


def read_parts(table: Table, paths: Sequence[Path]) -> pa.Table:
    """Return the rows of landed parts, in the order given."""
    schema = arrow_schema(table)
    read = [_read(path).replace_schema_metadata(None).cast(schema) for path in paths]
    return pa.concat_tables([without_rows(schema), *read])


def in_groups(table: Table, paths: Sequence[Path], scratch: Path) -> Iterator[pa.Table]:
    """Yield the rows of ``paths`` in groups of about ``GROUP_BYTES``, none of which splits a user's month.

    Whole months go together while they fit. A month that is too large is split by user in a directory of ``scratch``.
    """
    by_month = groupby(sorted(paths, key=month_of_part), month_of_part)
    group: list[Path] = []
    held = 0
    for _, month in by_month:
        parts = list(month)
        size = sum(_size(path) for path in parts)
        if group and held + size > GROUP_BYTES:
            yield read_parts(table, group)
            group, held = [], 0
        if size > GROUP_BYTES:
            yield from _by_user(table, parts, min(math.ceil(size / GROUP_BYTES), _MOST_BUCKETS), scratch)
        else:
            group, held = group + parts, held + size
    if group:
        yield read_parts(table, group)


def _by_user(table: Table, parts: Sequence[Path], buckets: int, scratch: Path) -> Iterator[pa.Table]:
    """Distribute the rows of ``parts`` over files by a hash of the user, and yield those one after the other."""
    directory = scratch / f"fold-{uuid4().hex}"
    schema = arrow_schema(table)
    paths = [directory / f"{bucket}.parquet" for bucket in range(buckets)]
    try:
        with storage_errors(directory):
            directory.mkdir(parents=True)
            writers = [pq.ParquetWriter(path, schema, compression="lz4", use_dictionary=False) for path in paths]
            for part in parts:
                rows = read_parts(table, [part])
                bucket = pl.Series(rows.column("user_id")).hash() % buckets
                for number, writer in enumerate(writers):
                    writer.write_table(rows.filter((bucket == number).to_arrow()))
            for writer in writers:
                writer.close()
        for path in paths:
            yield read_parts(table, [path])
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _size(path: Path) -> int:
    metadata = pq.read_metadata(path)
    return sum(metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups))


def _read(path: Path) -> pa.Table:
    try:
        with storage_errors(path), pq.ParquetFile(path) as file:
            return file.read()
    except pa.ArrowException as error:
        raise CorruptionError(
            path,
            found=str(error).splitlines()[0],
            expected="a Parquet file of landed records",
            remedy="Restore the file from a backup; the records in it can also be landed again.",
        ) from error
