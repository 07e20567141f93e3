"""How many more rows each user may insert.

Belongs here: counting against the quotas in users. A user without a row there, or without a quota, has no limit. Only
inserts count: audiences that are not archived, against all that are stored; distributions against those first accepted
in the present UTC month.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from audience_pipeline.ingest.moments import month_of
from audience_pipeline.storage.contract import Predicate, Query, TableStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, USERS, Problem, Table

_LIMITS = {AUDIENCES.name: "max_audiences", DISTRIBUTIONS.name: "max_distributions_per_month"}


class Insert(NamedTuple):
    """A row that would be inserted: its index in the batch, its key, owner, creation, and status where it has one."""

    row: int
    key: str
    user_id: str
    created_at: datetime
    status: str | None


class Quotas:
    """The quotas of one landing of ``table``, which must hold the table's landing lock all the while."""

    def __init__(self, store: TableStore, table: Table, now: datetime) -> None:
        self._store = store
        self._table = table
        self._now = now
        self._limits: dict[str, int | None] = {}
        self._used: dict[str, int] = {}

    def limited(self, users: Iterable[str]) -> list[str]:
        """Return those of ``users`` that have a limit here, in order."""
        if self._table.name not in _LIMITS:
            return []
        unknown = sorted(set(users) - self._limits.keys())
        if unknown:
            self._limits |= dict.fromkeys(unknown) | self._stored_limits(unknown)
        return sorted(user for user in set(users) if self._limits[user] is not None)

    def _stored_limits(self, users: Sequence[str]) -> dict[str, int | None]:
        found = self._store.get(USERS, users, ["user_id", "quota"]).to_pylist()
        member = _LIMITS[self._table.name]
        return {row["user_id"]: msgspec.json.decode(row["quota"] or "{}").get(member) for row in found}

    def exceeding(self, user_id: str, inserts: Iterable[Insert]) -> dict[int, Problem]:
        """Count a limited user's ``inserts`` and return, by row, those beyond the quota.

        They are taken in the order of (created_at, key), whatever the order of their lines.
        """
        limit = self._limits[user_id] or 0
        used = self._used[user_id] if user_id in self._used else self._count(user_id)
        problems = {}
        for insert in sorted(inserts, key=lambda each: (each.created_at, each.key)):
            if insert.status == "archived":
                continue
            if used >= limit:
                problems[insert.row] = self._exceeded(limit)
            else:
                used += 1
        self._used[user_id] = used
        return problems

    def _count(self, user_id: str) -> int:
        if self._table is DISTRIBUTIONS:
            return self._store.inserted_in_month(self._table, user_id, month_of(self._now))
        live = Query(columns=["user_id"], user_id=user_id, where=[Predicate("status", "!=", "archived")])
        stored: int = self._store.read(self._table, live).num_rows
        return stored + self._store.landing.waiting(self._table, user_id)

    def _exceeded(self, limit: int) -> Problem:
        month = f" in {self._now:%Y-%m}" if self._table is DISTRIBUTIONS else " that are not archived"
        return Problem(
            "user_id",
            "quota_exceeded",
            f"one more than {limit} {self._table.name}{month}",
            f"at most {limit} ({_LIMITS[self._table.name]})",
            f"Raise quota.{_LIMITS[self._table.name]} of the user, or send the record when there is room.",
        )
