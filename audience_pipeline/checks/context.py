"""What a check looks at: one slice of one table, read once for all checks of a step."""

from dataclasses import dataclass
from functools import cached_property

import dagster as dg
import polars as pl

from audience_pipeline.settings import Settings
from audience_pipeline.storage.contract import Query, TableStore
from audience_pipeline.tables import Table


@dataclass(frozen=True)
class Subject:
    """A table and the months to look at (None: all), with where to look."""

    table: Table
    store: TableStore
    settings: Settings
    months: tuple[int, int] | None
    instance: dg.DagsterInstance

    @cached_property
    def rows(self) -> pl.DataFrame:
        """The rows of the slice, as they are stored."""
        return pl.DataFrame(pl.from_arrow(self.store.read(self.table, Query(months=self.months))))
