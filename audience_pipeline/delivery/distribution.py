"""A distribution as the engine sees it: the stored row, with its JSON typed.

Belongs here: reading a row, and what a row becomes by a change. Does not belong here: which changes there are
(:mod:`.lifecycle`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TypeVar

import msgspec

from audience_pipeline.storage.changes import changed
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.tables import DISTRIBUTIONS, Table
from audience_pipeline.tables.canonical import canonical_text
from audience_pipeline.tables.shapes import (
    Attempt,
    EngineDistributionMetadata,
    EngineErrorDetails,
    EngineMatchResults,
)

Row = Mapping[str, Any]
T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True)
class Distribution:
    """One distribution; ``row`` is as it is stored: JSON columns as canonical texts, times without a zone."""

    row: Row

    @property
    def id(self) -> str:
        """Its key."""
        return str(self.row["distribution_id"])

    @property
    def status(self) -> str:
        """Where it is in its life."""
        return str(self.row["status"])

    @property
    def pair(self) -> tuple[str, str]:
        """What is sent, and where: audience and platform."""
        return self.row["audience_id"], self.row["platform_id"]

    @property
    def due_at(self) -> datetime:
        """Since when there is something to do, held or not."""
        moments = [self.row["created_at"], self.row["scheduled_at"], self.details.next_attempt_at]
        return max(aware(moment) for moment in moments if moment is not None)

    @property
    def month(self) -> int:
        """The month ``yyyymm`` its row lies in."""
        created: datetime = self.row["created_at"]
        return created.year * 100 + created.month

    @cached_property
    def details(self) -> EngineErrorDetails:
        """Errors, holds and the attempt; a row without any has those of one never touched."""
        return _typed(self.row["error_details"], EngineErrorDetails)

    @property
    def attempt(self) -> Attempt:
        """The attempt under way, or the last one."""
        return self.details.attempt or Attempt()

    @cached_property
    def results(self) -> EngineMatchResults:
        """What the platform reported, and what it was sent."""
        return _typed(self.row["match_results"], EngineMatchResults)

    @cached_property
    def metadata(self) -> EngineDistributionMetadata:
        """Campaign, cost, approval."""
        return _typed(self.row["metadata"], EngineDistributionMetadata)

    def own(self, rows: Mapping[str, Row], key: str) -> Row | None:
        """Return the row of ``key`` that it refers to; one of another user reads like one that is not there."""
        found = rows.get(key)
        return found if found is not None and found["user_id"] == self.row["user_id"] else None

    def raw(self, column: str) -> Any:  # noqa: ANN401 - any column's value
        """Return a column's value as a change expects it: JSON decoded, without a type."""
        value = self.row[column]
        return msgspec.json.decode(value) if column in _JSON and value is not None else value

    def changed(self, put: Mapping[str, Any]) -> "Distribution":
        """Return the distribution as it is once a change was made."""
        fresh = changed(DISTRIBUTIONS, dict(self.row), put)
        for name in {column.partition(".")[0] for column in put} & _JSON:
            fresh[name] = canonical_text(DISTRIBUTIONS.by_name[name], fresh[name])
        return Distribution(fresh)


_JSON = {"error_details", "match_results", "metadata"}


def by_key(store: TableStore, table: Table, keys: Iterable[str]) -> dict[str, Row]:
    """Return rows by key, those that are there."""
    return {row[table.key]: row for row in store.get(table, sorted(set(keys))).to_pylist()}


def aware(moment: datetime) -> datetime:
    """Return a stored moment, which is UTC and does not say so."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _typed(text: str | None, shape: type[T]) -> T:
    return msgspec.json.decode(text or "{}", type=shape)
