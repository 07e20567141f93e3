"""The BigQuery store: the contract's verbs, each in a module of its own.

Belongs here: opening, closing, and handing each verb its parts. Does not belong here: how a verb works.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

import polars as pl

from audience_pipeline.settings import Settings
from audience_pipeline.storage.archives import twin
from audience_pipeline.storage.bigquery import (
    agenda,
    copying,
    index,
    leases,
    queries,
    resealing,
    restore,
    transition,
    upsert,
    verify,
)
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.landing import BigQueryLanding
from audience_pipeline.storage.contract import (
    EVERYTHING,
    Change,
    Due,
    Finding,
    Home,
    MoveResult,
    Pair,
    Placement,
    Query,
    Resealed,
    TransitionResult,
    UpsertResult,
    Verdict,
)
from audience_pipeline.storage.frames import prepare
from audience_pipeline.storage.resealing import check_resealed
from audience_pipeline.tables import DISTRIBUTIONS, Problem, Table

if TYPE_CHECKING:
    import pyarrow as pa


def _now() -> datetime:
    return datetime.now(UTC)


class BigQueryStore:
    """The tables of one dataset, which ``audience-pipeline migrate`` made; any number of machines may share it.

    ``clock`` gives the present as an aware datetime; ``warehouse`` is one that is open already, and is closed with the
    store. Opening calls nothing.
    """

    def __init__(
        self, settings: Settings, *, clock: Callable[[], datetime] = _now, warehouse: Warehouse | None = None
    ) -> None:
        self._warehouse = warehouse or Warehouse(settings)
        self._clock = clock
        self.landing = BigQueryLanding(self._warehouse)

    def __enter__(self) -> Self:
        """Return the open store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the store."""
        self.close()

    @property
    def warehouse(self) -> Warehouse:
        """The dataset the tables are in."""
        return self._warehouse

    def upsert(self, table: Table, rows: "pa.Table", *, canonical: bool = False) -> UpsertResult:
        """Insert or update by key; see the contract."""
        frame = prepare(table, rows, None, canonical=canonical)
        return upsert.upsert(self._warehouse, table, frame, self._clock())

    def judge(self, table: Table, rows: "pa.Table", *, canonical: bool = False) -> list[tuple[Verdict, Problem | None]]:
        """Say what an upsert would do; see the contract."""
        return upsert.judge(self._warehouse, table, prepare(table, rows, None, canonical=canonical))

    def read(self, table: Table, query: Query = EVERYTHING) -> "pa.Table":
        """Return the rows a query asks for; see the contract."""
        return queries.read(self._warehouse, table, query)

    def get(self, table: Table, keys: Sequence[str], columns: Sequence[str] | None = None) -> "pa.Table":
        """Return the rows of keys; see the contract."""
        return queries.get(self._warehouse, table, keys, columns)

    def transition(self, table: Table, changes: Sequence[Change]) -> TransitionResult:
        """Apply compare-and-sets; see the contract."""
        return transition.transition(self._warehouse, table, changes)

    def due(self, now: datetime, *, limit: int, statuses: Sequence[str] | None = None, held: bool = False) -> list[Due]:
        """Return what is due; see the contract."""
        return agenda.due(self._warehouse, DISTRIBUTIONS, now, statuses, limit, held=held)

    def pairs(self, platform_ids: Sequence[str], audience_ids: Sequence[str] | None = None) -> list[Pair]:
        """Return pairs; see the contract."""
        return agenda.pairs(self._warehouse, DISTRIBUTIONS, platform_ids, audience_ids)

    def copy(self, target: Table, rows: "pa.Table") -> MoveResult:
        """Copy rows between a table and its archive; see the contract."""
        twin(target)
        return copying.copy(self._warehouse, target, prepare(target, rows, None, canonical=True))

    def remove(self, source: Table, keys: Sequence[str]) -> MoveResult:
        """Remove rows that the archive, or the live table, has; see the contract."""
        twin(source)
        return copying.remove(self._warehouse, source, keys)

    def reseal(self, table: Table, rows: Sequence[Resealed]) -> int:
        """Replace sealed texts; see the contract."""
        check_resealed(table, rows)
        return resealing.reseal(self._warehouse, table, rows)

    def homes(self, table: Table, months: tuple[int, int] | None = None) -> list[Home]:
        """Return the users and months that have rows; see the contract."""
        return copying.homes(self._warehouse, table, months)

    def placements(self, table: Table, keys: Sequence[str]) -> dict[str, Placement]:
        """Return where keys live; see the contract."""
        return index.placements(self._warehouse, table, keys)

    def reserve(self, table: Table, places: Mapping[str, tuple[str, int]], now: datetime) -> dict[str, Placement]:
        """Accept keys at places; return those that live elsewhere; see the contract."""
        return index.reserve(self._warehouse, table, places, now)

    def inserted_in_month(self, table: Table, user_id: str, month: int) -> int:
        """Return how many keys of a user were accepted in a month; see the contract."""
        return index.accepted(self._warehouse, table, user_id, month)

    def user_lock(self, *user_ids: str) -> AbstractContextManager[None]:
        """Hold users' quotas; see the contract."""
        return leases.held(self._warehouse, [f"quota {user_id}" for user_id in user_ids])

    def landing_lock(self, table: Table) -> AbstractContextManager[None]:
        """Hold the landing of a table; see the contract."""
        return leases.held(self._warehouse, [f"landing {table.name}"])

    def digests(self, table: Table) -> dict[int, str]:
        """Return a content digest a month; see the contract."""
        return queries.digests(self._warehouse, table)

    def keys(self, table: Table) -> "pa.Table":
        """Return what the key index says; see the contract."""
        return restore.keys(self._warehouse, table)

    def restore(self, table: Table, rows: "pa.Table", keys: "pa.Table") -> None:
        """Take over rows as they are; see the contract."""
        restore.restore(self._warehouse, table, prepare(table, rows, None), pl.DataFrame(pl.from_arrow(keys)))

    def verify(self, *, repair: bool = False) -> list[Finding]:
        """Prove the invariants on what is stored; see the contract."""
        return verify.verify(self._warehouse, repair=repair)

    def close(self) -> None:
        """Release what the store holds."""
        self._warehouse.close()
