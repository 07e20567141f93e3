"""What may be wrong inside partition files: bytes, columns, types, values, places, secrets.

Belongs here: files as they are, without the index. Does not belong here: anything between files.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from audience_pipeline.errors import PipelineError
from audience_pipeline.storage.contract import Finding
from audience_pipeline.storage.frames import prepare
from audience_pipeline.storage.months import MONTH
from audience_pipeline.storage.parquet.layout import Partition
from audience_pipeline.tables import Table
from audience_pipeline.tables.arrow import arrow_schema

_RESTORE = "Restore the file from a backup, or rebuild the month from its landed records."


@dataclass(slots=True)
class Inspected:
    """One file: whether it can be read, its keys, and what is wrong in it."""

    path: Path
    partition: Partition
    readable: bool = False
    keys: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add(self, kind: str, found: str, expected: str, remedy: str = _RESTORE) -> None:
        """Note something wrong with this file."""
        self.findings.append(Finding(kind, str(self.path), found, expected, remedy))


def inspect(table: Table, found: Sequence[tuple[Partition, Path]]) -> list[Inspected]:
    """Read files and hold them against the declaration and their own places.

    Rows are checked together, because most files hold few; only where that finds something is each file looked at.
    """
    inspected, whole = [], []
    for partition, path in found:
        one = Inspected(path, partition)
        inspected.append(one)
        rows = _read(table, one)
        if rows is not None:
            one.readable, one.keys = True, rows.column(table.key).to_pylist()
            whole.append((one, rows))
    if whole and not _all_well(table, whole):
        for one, rows in whole:
            _check_rows(table, one, rows)
    return inspected


def _read(table: Table, inspected: Inspected) -> pa.Table | None:
    """Return the rows of a file whose bytes and columns are right."""
    try:
        rows = pq.ParquetFile(inspected.path).read()
    except (OSError, pa.ArrowException) as error:
        inspected.add("unreadable file", str(error).splitlines()[0], "a whole Parquet file")
        return None
    if not rows.schema.equals(arrow_schema(table)):
        found = _difference(rows.schema, arrow_schema(table))
        inspected.add("schema", found, f"the columns and types of {table.name}")
        return None
    return rows


def _all_well(table: Table, whole: Sequence[tuple[Inspected, pa.Table]]) -> bool:
    """Return whether nothing at all is wrong with the rows of several files."""
    rows = pa.concat_tables([rows for _, rows in whole])
    try:
        frame = prepare(table, rows, 0)
    except PipelineError:
        return False
    homes = [one.partition for one, _ in whole for _ in one.keys]
    placed = list(frame.select("user_id", MONTH).iter_rows()) == homes
    distinct = frame[table.key].n_unique() == frame.height
    return placed and distinct and frame.select(table.column_names).equals(pl.DataFrame(pl.from_arrow(rows)))


def _difference(found: pa.Schema, expected: pa.Schema) -> str:
    if found.names != expected.names:
        return f"columns {', '.join(found.names)}"
    wrong = [f"{name} {found.field(name).type}" for name in found.names if found.field(name) != expected.field(name)]
    return f"types {', '.join(wrong)}"


def _check_rows(table: Table, inspected: Inspected, rows: pa.Table) -> None:
    partition = inspected.partition
    repeated = len(inspected.keys) - len(set(inspected.keys))
    if repeated:
        inspected.add("duplicate key", f"{repeated} keys more than once", "one row a key")
    try:
        frame = prepare(table, rows, 0)
    except PipelineError as error:
        inspected.add("declaration", f"{error.object}: {error.found}", error.expected, error.remedy)
        return
    misplaced = frame.filter((pl.col("user_id") != partition.user_id) | (pl.col(MONTH) != partition.month)).height
    if misplaced:
        inspected.add("placement", f"{misplaced} rows of another user or month", "only rows of its own user and month")
    if not frame.select(table.column_names).equals(pl.DataFrame(pl.from_arrow(rows))):
        inspected.add("canonical form", "values that are not in canonical form", "what the store itself would write")
