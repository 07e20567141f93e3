"""Which part of a table an asset reads or writes, as a value worked out before any I/O.

Belongs here: reading Dagster's contexts. Does not belong here: opening anything. Only the plural accessors of the
contexts are used, since a run over a range of months has no single partition key.
"""

import re
from dataclasses import dataclass
from typing import TypeAlias

import dagster as dg

from audience_pipeline.errors import UsageError
from audience_pipeline.partitions import span

Context: TypeAlias = dg.InputContext | dg.OutputContext
_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Slice:
    """A table by its asset's path, the months of it (first and last, or None for all), and the columns asked for.

    ``by_month`` says whether the asset is partitioned at all.
    """

    path: tuple[str, ...]
    by_month: bool
    months: tuple[int, int] | None = None
    columns: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """The table's name."""
        return self.path[-1]

    @property
    def asset(self) -> str:
        """The asset as people write it."""
        return "/".join(self.path)


def slice_of(context: Context) -> Slice:
    """Return the slice an output writes or an input reads.

    Raises:
        UsageError: the asset's name is no directory name, or its partitions are not months, or not consecutive ones.
    """
    path = tuple(context.asset_key.path)
    columns = (context.definition_metadata or {}).get("columns") if isinstance(context, dg.InputContext) else None
    for part in path:
        if not _NAME.fullmatch(part):
            raise _wrong(path, f"{part!r} in its key", "letters, digits, _ and -", "Rename the asset.")
    months = _months(context, path) if context.has_asset_partitions else None
    return Slice(path, context.has_asset_partitions, months, tuple(columns) if columns else None)


def _months(context: Context, path: tuple[str, ...]) -> tuple[int, int]:
    partitions = context.asset_partitions_def
    if not isinstance(partitions, dg.TimeWindowPartitionsDefinition) or not _monthly(partitions):
        raise _wrong(path, type(partitions).__name__, "MonthlyPartitionsDefinition", "Partition it by month.")
    starts = [partitions.time_window_for_partition_key(key).start for key in context.asset_partition_keys]
    months = span(start.year * 100 + start.month for start in starts)
    if months is None:
        found = ", ".join(context.asset_partition_keys) or "no month"
        raise _wrong(path, found, "consecutive months", "Request them in runs of their own.")
    return months


def _monthly(partitions: dg.TimeWindowPartitionsDefinition) -> bool:
    return partitions.cron_schedule == "0 0 1 * *"


def _wrong(path: tuple[str, ...], found: str, expected: str, remedy: str) -> UsageError:
    return UsageError(f"asset {'/'.join(path)}", found=found, expected=expected, remedy=remedy)
