"""Where rows live on disk: partitions and their documented paths.

Belongs here: the mapping between (table, user, month) and a path, both ways. Does not belong here: any I/O. Months are
integers ``yyyymm``; 0 stands for a table without months.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from audience_pipeline.tables import TABLES, Table
from audience_pipeline.tables.tenant import decode_user_id, encode_user_id

STATE_DIR = "_state"
DERIVED_DIR = "derived"
"""Where tables that users' own assets compute are kept, each in a directory of its own."""


class Partition(NamedTuple):
    """One file of a stored table: a user and a month."""

    user_id: str
    month: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The documented directory structure below ``root``."""

    root: Path

    def path(self, table: Table, partition: Partition) -> Path:
        """Return the documented path of a partition's file."""
        return self.root / relative_path(table, partition)

    @property
    def state(self) -> Path:
        """Return the directory of everything that is not live data."""
        return self.root / STATE_DIR

    @property
    def staging(self) -> Path:
        """Return the directory files are written in before they are renamed into place."""
        return self.state / "staging"

    def parse(self, path: Path) -> tuple[Table, Partition] | None:
        """Return what a file below ``root`` holds, or None when no stored row belongs at that path."""
        name, user, *rest = (*path.relative_to(self.root).parts, "")
        table = TABLES.get(name)
        if table is None or not user.startswith("user_id="):
            return None
        try:
            user_id = decode_user_id(user.removeprefix("user_id="))
            month = _month(*rest[:2]) if table.by_month else 0
        except (ValueError, TypeError):
            return None
        partition = Partition(user_id, month)
        return (table, partition) if self.path(table, partition) == path else None


def relative_path(table: Table, partition: Partition) -> str:
    """Return the documented path of a partition's file, relative to the data directory."""
    user = f"{table.name}/user_id={encode_user_id(partition.user_id)}"
    if not table.by_month:
        return f"{user}/{table.name}.parquet"
    year, month = divmod(partition.month, 100)
    return f"{user}/year={year:04d}/month={month:02d}/{table.name}_{year:04d}_{month:02d}.parquet"


def _month(year: str, month: str) -> int:
    return int(year.removeprefix("year=")) * 100 + int(month.removeprefix("month="))
