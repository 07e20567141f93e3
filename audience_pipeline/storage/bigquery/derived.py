"""Derived tables: what users' own assets compute, whose months, or whole, are replaced.

Belongs here: making, replacing and reading them. Does not belong here: declared tables, which are only ever upserted
under the rules of their declaration; or which frame fits (:mod:`.derived_frames`).

A table of months is partitioned by month of the column that decides it; of rows without one, by a column that is added
and never read back. Its months are replaced in one transaction: a reader sees the former rows or the new ones, and a
write that dies has changed nothing. A table without months is replaced as a whole, by one statement. Rows are staged
before either, so neither waits for a client. Rows have no order, and a list is never null, but empty.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pyarrow as pa

from audience_pipeline.errors import UsageError
from audience_pipeline.storage.bigquery import staging
from audience_pipeline.storage.bigquery.attempts import until_not_overtaken
from audience_pipeline.storage.bigquery.client import Result, Warehouse
from audience_pipeline.storage.bigquery.derived_columns import definitions
from audience_pipeline.storage.bigquery.derived_frames import Frame, Kept
from audience_pipeline.storage.bigquery.fragments import names
from audience_pipeline.storage.bigquery.placing import derived_name
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.storage.months import month_bounds
from audience_pipeline.tables import WRITTEN_MONTHS


class DerivedTable:
    """One derived table of a dataset; ``path`` ends with its asset's name."""

    def __init__(self, warehouse: Warehouse, path: Sequence[str]) -> None:
        self._warehouse = warehouse
        self._asset = path[-1]
        self.name = derived_name(path)
        self.title = f"derived table {'/'.join(path)}"

    def replace(self, months: Mapping[int, pa.Table], month_column: str | None) -> str | None:
        """Replace the given months as yyyymm (or month 0, the table without months).

        ``month_column`` decides a row's month; it is None where the rows have no such column. Returns the column the
        table is partitioned by.

        Raises:
            RefusedError: columns or types have no counterpart or differ from those of the months that stay, or the
                table is kept in another way.
        """
        frame = Frame.of(self.title, months, month_column)
        kept = self._kept()
        if kept is None and frame.month_column is not None:
            self._make(frame)
            kept = self._kept()
        if kept is not None:
            frame = kept.fitted(frame)
        if frame.month_column is None:
            self._replace_whole(frame)
        else:
            self._replace_months(frame, sorted(months))
        return frame.month_column

    def read(self, months: tuple[int, int] | None, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows of the months, first to last, that were written; None is the table without months.

        Raises:
            UsageError: none of them was ever written, or a column is asked for that the table does not have.
        """
        kept = self._kept()
        if kept is None:
            raise self._unwritten(months)
        schema = kept.schema_of(columns)
        whole = months is None or kept.month_column is None
        text = statement(
            "select",
            columns=names(schema.names),
            table=self.name,
            conditions="TRUE" if whole else kept.within(),
            order="",
            limit="",
        )
        rows = self._run(text, {} if months is None or whole else _bounds(*months)).arrow().cast(schema)
        if not rows.num_rows and months is not None and not self._written(months):
            raise self._unwritten(months)
        return rows

    def _replace_whole(self, frame: Frame) -> None:
        with self._staged(frame) as staged:
            parts = {"fields": definitions(frame.fields), "clustering": frame.clustering, "names": names(frame.names)}
            self._run(statement("replace_table", table=self.name, staging=staged, **parts))

    def _make(self, frame: Frame) -> None:
        text = statement(
            "make_table",
            table=self.name,
            fields=definitions(frame.fields),
            partition=frame.partition,
            clustering=frame.clustering,
            written=WRITTEN_MONTHS.name,
        )
        until_not_overtaken(lambda _: self._run(text, {"name": self.name}))

    def _replace_months(self, frame: Frame, months: Sequence[int]) -> None:
        with self._staged(frame) as staged:
            text = statement(
                "replace_months",
                table=self.name,
                conditions=frame.within(),
                names=names(frame.names),
                staging=staged,
                written=WRITTEN_MONTHS.name,
            )
            values = {"name": self.name, "months": months, **_bounds(months[0], months[-1])}
            until_not_overtaken(lambda _: self._run(text, values))

    @contextmanager
    def _staged(self, frame: Frame) -> Iterator[str]:
        """Stage a frame for the time of a block; yields the name of the staging table."""
        name = f"{staging.PREFIX}{self.name}_{uuid4().hex}"
        staging.make(self._warehouse, name, frame.fields)
        try:
            self._warehouse.load(frame.loaded, name, frame.fields, operation="stage", job_id=f"load_{name}")
            yield name
        finally:
            staging.drop(self._warehouse, name)

    def _kept(self) -> Kept | None:
        """Return how the table is kept, None if there is none."""
        from google.api_core.exceptions import NotFound

        name = self._warehouse.name(self.name)
        with self._warehouse.errors(self.title):
            try:
                return Kept(self.title, name, self._warehouse.client.get_table(name, retry=self._warehouse.retry))
            except NotFound:
                return None

    def _written(self, months: tuple[int, int]) -> bool:
        text = statement("written_months", written=WRITTEN_MONTHS.name)
        values = {"name": self.name, "first_month": months[0], "last_month": months[1]}
        return bool(self._run(text, values).arrow()["n"][0].as_py())

    def _run(self, text: str, values: Mapping[str, Any] | None = None) -> Result:
        return self._warehouse.run(text, values, object=self.title, operation="derive")

    def _unwritten(self, months: tuple[int, int] | None) -> UsageError:
        return UsageError(
            self.title,
            found="nothing written yet" if months is None else f"no month from {months[0]} to {months[1]}",
            expected="a table that was materialized before it is read",
            remedy=f"Materialize {self._asset} first.",
        )


def _bounds(first: int, last: int) -> dict[str, Any]:
    since, until = month_bounds(first, last)
    return {"since": since, "until": until}
