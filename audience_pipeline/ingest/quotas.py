"""How many more rows each user may insert.

Belongs here: counting against the quotas in users. A user without a row there, or without a quota, has no limit. Only
inserts count: audiences that are not archived, against all that are stored or accepted and not archived, be it by
records that are not folded yet; distributions against those first accepted in the present UTC month.

Inserts are taken in the order of (created_at, key) within what is judged at once, some megabytes of a file. Ordering a
whole file would take its keys in memory, or judging it twice; a sender to whom it matters sorts the file. An archival
makes room for the files after its own.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
import polars as pl

from audience_pipeline.ingest.batches import BATCH_BYTES
from audience_pipeline.ingest.moments import month_of
from audience_pipeline.storage.contract import Predicate, Query, TableStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, POSITION, USERS, Problem, Table

ARCHIVED = "archived"
_BATCH = f"{BATCH_BYTES // 2**20} MiB"
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
        self._exact: set[str] = set()
        self._archivals: dict[str, dict[str, datetime]] | None = None

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
        counted = sorted((each for each in inserts if each.status != ARCHIVED), key=lambda it: (it.created_at, it.key))
        if user_id not in self._used:
            self._used[user_id] = self._count(user_id)
        used = self._used[user_id]
        if used + len(counted) > limit and user_id not in self._exact:
            used -= self._freed(user_id)
            self._exact.add(user_id)
        problems = {}
        for insert in counted:
            if used >= limit:
                problems[insert.row] = self._exceeded(limit)
            else:
                used += 1
        self._used[user_id] = used
        return problems

    def _count(self, user_id: str) -> int:
        """Return how many rows of the user are stored or accepted, save for what :meth:`_freed` finds."""
        if self._table is DISTRIBUTIONS:
            return self._store.inserted_in_month(self._table, user_id, month_of(self._now))
        live = Query(columns=["user_id"], user_id=user_id, where=[Predicate("status", "!=", ARCHIVED)])
        stored: int = self._store.read(self._table, live).num_rows
        return stored + self._store.landing.waiting(self._table, user_id)

    def _freed(self, user_id: str) -> int:
        """Return how many of the rows counted are archived by records that landed and are not folded yet.

        It reads all those records, so it is asked only before somebody is refused.
        """
        if self._table is not AUDIENCES:
            return 0
        if self._archivals is None:
            self._archivals = self._landed_archivals()
        versions = self._archivals.get(user_id, {})
        keys = list(versions)
        accepted = [key for key, place in self._store.placements(self._table, keys).items() if not place.placed]
        stored = self._store.get(self._table, keys, [self._table.key, "status", "updated_at"]).to_pylist()
        live = (row for row in stored if row["status"] != ARCHIVED)
        return len(accepted) + len([row for row in live if row["updated_at"] < versions[row[self._table.key]]])

    def _landed_archivals(self) -> dict[str, dict[str, datetime]]:
        """Return, by user and key, the versions of unfolded records that archive their audience and are the newest."""
        found: dict[str, dict[str, datetime]] = {}
        numbers = [entry.number for entry in self._store.landing.unfolded(self._table)]
        for group in self._store.landing.groups(self._table, numbers) if numbers else ():
            rows = pl.DataFrame(group.select(["user_id", self._table.key, "status", "updated_at", POSITION]))
            newest = rows.sort("updated_at", POSITION).group_by("user_id", self._table.key).last()
            for user_id, key, _, version, _ in newest.filter(pl.col("status") == ARCHIVED).iter_rows():
                found.setdefault(user_id, {})[key] = version
        return found

    def _exceeded(self, limit: int) -> Problem:
        month = f" in {self._now:%Y-%m}" if self._table is DISTRIBUTIONS else " that are not archived"
        return Problem(
            "user_id",
            "quota_exceeded",
            f"one more than {limit} {self._table.name}{month}",
            f"at most {limit} ({_LIMITS[self._table.name]}), the earliest created in each {_BATCH} of a file first",
            f"Raise quota.{_LIMITS[self._table.name]} of the user, or send the record when there is room.",
        )
