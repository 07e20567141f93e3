"""Makes the datasets, tables, views and access rules of the BigQuery backend, and keeps them as declared.

Belongs here: what is made in which order, and which changes are made to what is there. Does not belong here: the
statements (sql/bigquery/), or how a difference is found.

Everything is compared before anything is changed: where one table would lose rows, nothing happens. Repeating it
changes nothing that is as declared, and two at a time do no harm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from audience_pipeline.errors import StorageError
from audience_pipeline.settings import Settings, variable
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.drift import Difference, differences
from audience_pipeline.storage.bigquery.fences import fence
from audience_pipeline.storage.bigquery.placing import VIEWS_SUFFIX, placed, placed_file
from audience_pipeline.tables import BOOKKEEPING, Table
from audience_pipeline.tables.bigquery import KEPT

if TYPE_CHECKING:
    from google.cloud import bigquery

_OPERATION = "migrate"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a migration looked at: its name, what became of it, and why.

    ``waiting`` is a change that is made only on demand, ``skipped`` one that was not asked for or can't be made here.
    """

    object: str
    state: Literal["made", "unchanged", "changed", "written", "waiting", "skipped"]
    detail: str = ""


class Migration:
    """One migration of the configured dataset."""

    def __init__(self, warehouse: Warehouse, settings: Settings) -> None:
        self._warehouse = warehouse
        self._settings = settings
        self._views = warehouse.dataset + VIEWS_SUFFIX

    def run(self, *, apply_changes: bool, access: bool) -> list[Step]:
        """Make what is missing, and what differs as declared where that loses nothing.

        Args:
            apply_changes: whether tables that are there may be changed; otherwise the changes are reported, and the
                views, which may need them, wait.
            access: whether row access policies and grants are written, too.

        Returns:
            A step for everything looked at, in the order of the work.

        Raises:
            StorageError: a table differs in a way that can't be mended without losing what is stored.
        """
        steps = [*self._datasets(), *self.tables(apply_changes=apply_changes)]
        if any(step.state == "waiting" for step in steps):
            return steps
        return [*steps, self._view_texts(), *(self._access() if access else [Step("access rules", "skipped", _OFF)])]

    def tables(self, *, apply_changes: bool) -> list[Step]:
        """Make the missing tables of an existing dataset and compare the others; see `run`."""
        stored = self._stored()
        drifted = {name: differences(table, stored[name]) for name, table in _BY_NAME.items() if name in stored}
        self._refuse_losses(drifted)
        missing = [name for name in _BY_NAME if name not in stored]
        if missing:
            self._run("\n".join(map(self._making, missing)), f"tables of {self._warehouse.dataset}")
        return [
            self._compared(stored[name], drifted[name], apply_changes) if name in stored else self._made(name)
            for name in _BY_NAME
        ]

    def _making(self, name: str) -> str:
        """Return the statements that make a table, with its fence if it is of the bookkeeping."""
        made = placed_file(f"tables/{name}.sql", self._settings)
        return f"{made}\n{fence(_BY_NAME[name])};" if _BY_NAME[name] in BOOKKEEPING else made

    def _datasets(self) -> list[Step]:
        return [self._dataset(self._warehouse.dataset), self._dataset(self._views)]

    def _dataset(self, name: str) -> Step:
        from google.api_core.exceptions import NotFound
        from google.cloud import bigquery

        full, client = f"{self._warehouse.project}.{name}", self._warehouse.client
        with self._warehouse.errors(f"dataset {full}"):
            try:
                found = client.get_dataset(full, retry=self._warehouse.retry)
            except NotFound:
                wanted = bigquery.Dataset(full)
                wanted.location = self._settings.bigquery_location
                client.create_dataset(wanted, exists_ok=True, retry=self._warehouse.retry)
                return Step(f"dataset {full}", "made")
        self._refuse_other_place(full, str(found.location))
        return Step(f"dataset {full}", "unchanged")

    def _refuse_other_place(self, dataset: str, found: str) -> None:
        expected = self._settings.bigquery_location
        if expected is not None and expected.upper() != found.upper():
            raise StorageError(
                object=f"dataset {dataset}",
                found=f"location {found}",
                expected=f"location {expected}, as {variable('bigquery_location')} says",
                remedy="Correct the variable, or name another dataset: one can't be moved.",
            )

    def _stored(self) -> "dict[str, bigquery.Table]":
        client, dataset = self._warehouse.client, self._warehouse.dataset
        with self._warehouse.errors(f"dataset {self._warehouse.project}.{dataset}"):
            names = [item.table_id for item in client.list_tables(dataset, retry=self._warehouse.retry)]
            return {
                name: client.get_table(self._warehouse.name(name), retry=self._warehouse.retry)
                for name in names
                if name in _BY_NAME
            }

    def _refuse_losses(self, drifted: dict[str, list[Difference]]) -> None:
        losses = {name: [each for each in found if not each.lossless] for name, found in drifted.items()}
        lossy = {name: found for name, found in losses.items() if found}
        if lossy:
            raise StorageError(
                ", ".join(f"table {self._warehouse.name(name)}" for name in lossy),
                found="; ".join(f"{each.what} {each.found}" for found in lossy.values() for each in found),
                expected="; ".join(f"{each.what} {each.expected}" for found in lossy.values() for each in found),
                remedy="Nothing was changed, since what is stored would be lost. Copy the table away and drop it, or "
                "bring the declaration back to what is there.",
            )

    def _made(self, name: str) -> Step:
        return Step(f"table {self._warehouse.name(name)}", "made")

    def _compared(self, table: "bigquery.Table", found: Sequence[Difference], apply_changes: bool) -> Step:
        name = f"table {self._warehouse.name(table.table_id)}"
        if not found:
            return Step(name, "unchanged")
        if apply_changes:
            for difference in found:
                self._mend(table, difference)
        return Step(name, "changed" if apply_changes else "waiting", "; ".join(map(str, found)))

    def _mend(self, table: "bigquery.Table", difference: Difference) -> None:
        name = f"table {self._warehouse.name(table.table_id)}"
        if difference.statement is not None:
            self._run(placed(difference.statement, self._settings), name)
            return
        with self._warehouse.errors(name):
            table.clustering_fields = list(difference.clustering or ()) or None
            self._warehouse.client.update_table(table, ["clustering_fields"], retry=self._warehouse.retry)

    def _view_texts(self) -> Step:
        name = f"views of {self._warehouse.project}.{self._views}"
        self._run(placed_file("views.sql", self._settings), name)
        self._authorize_views()
        return Step(name, "written")

    def _authorize_views(self) -> None:
        """Let the views read the tables in the place of whoever reads the views."""
        from google.cloud import bigquery

        views = {"projectId": self._warehouse.project, "datasetId": self._views}
        entry = bigquery.AccessEntry(entity_type="dataset", entity_id={"dataset": views, "targetTypes": ["VIEWS"]})
        client, full = self._warehouse.client, f"{self._warehouse.project}.{self._warehouse.dataset}"
        with self._warehouse.errors(f"dataset {full}"):
            dataset = client.get_dataset(full, retry=self._warehouse.retry)
            if entry not in dataset.access_entries:
                dataset.access_entries = [*dataset.access_entries, entry]
                client.update_dataset(dataset, ["access_entries"], retry=self._warehouse.retry)

    def _access(self) -> list[Step]:
        policies, grants = f"row access policies of {self._warehouse.dataset}", f"grants on {self._warehouse.dataset}"
        self._run(placed_file("policies.sql", self._settings), policies)
        if self._warehouse.emulated:
            return [Step(policies, "written"), Step(grants, "skipped", "an emulator has none")]
        self._run(placed_file("grants.sql", self._settings), grants)
        return [Step(policies, "written"), Step(grants, "written")]

    def _run(self, statement: str, object: str) -> None:
        self._warehouse.run(statement, object=object, operation=_OPERATION)


_OFF = "not asked for"
_BY_NAME: dict[str, Table] = {table.name: table for table in KEPT}
