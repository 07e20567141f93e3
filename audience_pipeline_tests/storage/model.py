"""A second, plain statement of the store's rules: one dict a table, one row at a time, no partitions.

It knows upsert, transition and move for rows that are canonical already (sorted JSON members, times in milliseconds),
as the builders make them, and shares no code with the store.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

Row = dict[str, Any]

ENGINE_COLUMNS = {
    "distributions": ("executed_at", "status", "match_results", "error_details"),
    "platforms": ("last_sync", "sync_status"),
}
ENGINE_MEMBERS = {
    ("distributions", "metadata"): ("approval_", "approved_by"),
    ("users", "quota"): ("current_usage",),
}
IMMUTABLE = {"distributions": ("user_id", "created_at", "audience_id", "platform_id")}
KEYS = {"users": "user_id", "audiences": "audience_id", "platforms": "platform_id", "distributions": "distribution_id"}
TIMES = ("created_at", "updated_at", "scheduled_at", "executed_at", "last_login", "last_sync")
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - stored times are UTC without a zone


class Model:
    """The tables a sequence of writes must lead to."""

    def __init__(self, columns: Mapping[str, Iterable[str]]) -> None:
        self.columns = {name: tuple(each) for name, each in columns.items()}
        self.tables: dict[str, dict[str, Row]] = {name: {} for name in columns}
        self.archived: dict[str, Row] = {}
        self._positions: dict[tuple[str, str], int] = {}
        self._position = 2**40

    def upsert(self, table: str, rows: Iterable[Row]) -> list[str]:
        """Apply rows one after the other; return the verdict of each."""
        self._position += 1
        return [self._upsert(table, dict(row)) for row in rows]

    def _upsert(self, table: str, row: Row) -> str:
        position = row.pop("landed_position", self._position)
        row = {name: row.get(name) for name in self.columns[table]}
        if table == "distributions":
            row["segments_distributed"] = row["segments_distributed"] or []
        if table == "audiences":
            row["selected_variables"] = row["selected_variables"] or []
        key = row[KEYS[table]]
        if table == "distributions" and key in self.archived:
            return "refused"
        stored = self.tables[table].get(key)
        if stored is None:
            if row.get("status") == "processing":
                return "refused"
            self.tables[table][key] = row
            self._positions[table, key] = position
            return "inserted"
        return self._update(table, key, stored, row, position)

    def _update(self, table: str, key: str, stored: Row, row: Row, position: int) -> str:
        immutable = IMMUTABLE.get(table, ("user_id", "created_at"))
        if any(stored[name] != row[name] for name in immutable):
            return "refused"
        digest, known = self.digest(table, row), self.digest(table, stored)
        old, new = self._rank(table, key, stored), (version(table, row), position)
        if new[0] is None and old[0] is None:
            newer = (new[1], digest) > (old[1], known)
        else:
            newer = (new[0] or EPOCH, digest) > (old[0] or EPOCH, known)
        if digest == known:
            self._positions[table, key] = max(self._positions[table, key], position)
            return "unchanged"
        if not newer:
            return "stale"
        if table == "distributions" and (stored["status"] != "scheduled" or row["status"] != "scheduled"):
            return "refused"
        self.tables[table][key] = self._merged(table, stored, row)
        self._positions[table, key] = position
        return "updated"

    def _rank(self, table: str, key: str, row: Row) -> tuple[datetime | None, int]:
        return version(table, row), self._positions[table, key]

    def _merged(self, table: str, stored: Row, row: Row) -> Row:
        merged = row | {name: stored[name] for name in ENGINE_COLUMNS.get(table, ())}
        for (owner, column), members in ENGINE_MEMBERS.items():
            if owner == table:
                old, new = json.loads(stored[column] or "{}"), json.loads(row[column] or "{}")
                kept = {name: value for name, value in old.items() if name.startswith(members)}
                kept |= {name: value for name, value in new.items() if not name.startswith(members)}
                merged[column] = text(kept) if kept else None
        return merged

    def digest(self, table: str, row: Row) -> str:
        """Return the SHA-256 of the canonical JSON array of what the application owns, in declared order."""
        values: list[Any] = []
        for name in self.columns[table]:
            value = row[name]
            if name in ENGINE_COLUMNS.get(table, ()):
                continue
            if (members := ENGINE_MEMBERS.get((table, name))) and value is not None:
                kept = {each: of for each, of in json.loads(value).items() if not each.startswith(members)}
                value = text(kept) if kept else None
            values.append(round((value - EPOCH).total_seconds() * 1000) if isinstance(value, datetime) else value)
        return hashlib.sha256(text(values).encode()).hexdigest()

    def transition(self, expect: str, put: str, keys: Iterable[str], attempt: int) -> None:
        """Take distributions from one status to another, with the number of the attempt in their error details."""
        for key in keys:
            row = self.tables["distributions"].get(key)
            if row is not None and row["status"] == expect:
                row |= {"status": put, "error_details": text({"attempt": {"token": str(attempt)}})}

    def archive(self, keys: Iterable[str], moment: datetime) -> None:
        """Move distributions to the archive."""
        for key in keys:
            if row := self.tables["distributions"].pop(key, None):
                self.archived[key] = row | {"archived_at": moment}

    def restore(self, keys: Iterable[str]) -> None:
        """Move distributions back."""
        for key in keys:
            if row := self.archived.pop(key, None):
                row.pop("archived_at")
                self.tables["distributions"][key] = row


def version(table: str, row: Row) -> datetime | None:
    """Return the moment a record says it was last changed, if it says so."""
    if table == "distributions":
        moment = json.loads(row["metadata"] or "{}").get("updated_at")
        return datetime.fromisoformat(moment).replace(tzinfo=None) if moment else None
    found: datetime | None = row.get("updated_at")
    return found


def text(value: object) -> str:
    """Return JSON with sorted members and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
