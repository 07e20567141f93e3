"""Answers from BigQuery.

Belongs here: running a pattern's SQL over the tables of a dataset. Does not belong here: the questions
(:mod:`.patterns`), or statements of a person (:mod:`.warehouse_statements`). Values are query parameters only; the text
of a statement is made of SQL files, declared names and the dataset's.

A pattern reads a relation of its table's name, which names the columns: credentials are neither read nor billed, and
JSON comes as text, which is put in the canonical form files hold. A user's rows lie together, since tables are
clustered by user, and `created_at` prunes days. A key alone says neither, so the index is asked first where it lives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from audience_pipeline.queries.patterns import AccessPattern
from audience_pipeline.storage.bigquery.client import Result, Warehouse
from audience_pipeline.storage.bigquery.fragments import output, within
from audience_pipeline.storage.bigquery.queries import bounds, typed
from audience_pipeline.storage.contract import Placement
from audience_pipeline.tables import Table
from audience_pipeline.tables.arrow import arrow_schema, without_rows

_OPERATION = "query"


class WarehouseStore(Protocol):
    """What an answer needs of a store that keeps its rows in BigQuery."""

    @property
    def warehouse(self) -> Warehouse:
        """The dataset the tables are in."""

    def placements(self, table: Table, keys: Sequence[str]) -> dict[str, Placement]:
        """Return where the known ones of ``keys`` live."""


@dataclass(frozen=True, slots=True)
class WarehouseReader:
    """Answers from one store; see :class:`.answers.Reader`."""

    store: WarehouseStore

    def rows(self, pattern: AccessPattern, arguments: Mapping[str, Any], archive: Table | None) -> pa.Table:
        """Return the rows a pattern finds in its table, or also in an archive of it."""
        place = self._place(pattern.table, arguments)
        if place is None:
            return without_rows(pa.schema([arrow_schema(pattern.table).field(name) for name in pattern.columns]))
        text = self._statement(pattern, [pattern.table, *([archive] if archive else [])])
        found = self._run(pattern, text, {**arguments, **place})
        return typed(pattern.table, pattern.columns, found.arrow())

    def count(self, pattern: AccessPattern, arguments: Mapping[str, Any], archive: Table) -> int:
        """Return how many more rows a pattern finds in an archive, reading only the columns it compares."""
        text = f"SELECT COUNT(*) AS n FROM (\n{self._statement(pattern, [archive])})"  # noqa: S608 - declared names
        return int(self._run(pattern, text, arguments).arrow()["n"][0].as_py())

    def _place(self, table: Table, arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the parameters that narrow a search by key to its user and month; None if the key is unknown."""
        if "user_id" in arguments:
            return {}
        places = self.store.placements(table, [arguments[table.key]]).values()
        return next(({"owner": place.user_id, **bounds(table, (place.month, place.month))} for place in places), None)

    def _statement(self, pattern: AccessPattern, tables: Sequence[Table]) -> str:
        dataset = f"{self.store.warehouse.project}.{self.store.warehouse.dataset}"
        return statement(dataset, pattern, tables)

    def _run(self, pattern: AccessPattern, text: str, parameters: Mapping[str, Any]) -> Result:
        table = f"table {pattern.table.name}"
        return self.store.warehouse.run(text, parameters, object=table, operation=_OPERATION)


def statement(dataset: str, pattern: AccessPattern, tables: Sequence[Table]) -> str:
    """Return a pattern's SQL over a relation of its table's name, which has the rows of ``tables``."""
    name = pattern.table.name
    relation = "\nUNION ALL\n".join(_relation(dataset, pattern, table) for table in tables)
    return f"WITH {name} AS (\n{relation}\n)\n{pattern.sql('bigquery')}"


def _relation(dataset: str, pattern: AccessPattern, table: Table) -> str:
    columns = ", ".join(output(table.by_name[name]) for name in pattern.columns)
    narrowed = "" if "user_id" in pattern.needs else f"\nWHERE stored.user_id = @owner{within(table, 'stored')}"
    if table is not pattern.table:
        # A row on its way to the archive is in both tables, and lives in the live one.
        live = f"SELECT {table.key} FROM `{dataset}.{pattern.table.name}` WHERE user_id = @user_id"  # noqa: S608 - declared names
        narrowed = f"\nWHERE stored.{table.key} NOT IN ({live})"
    return f"SELECT {columns}\nFROM `{dataset}.{table.name}` AS stored{narrowed}"
