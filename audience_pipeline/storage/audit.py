"""The audit log: who did what that a tenant has a right to know of.

Belongs here: an entry, and appending it. Does not belong here: what is done.

An entry's id follows from what was done, so whoever repeats a step after a kill appends the same entry. Where nothing
tells one time from the next, the entry is appended before it is done: there may be an entry without an effect, and
never an effect without an entry.
"""

import getpass
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID, uuid5

import msgspec
import pyarrow as pa

from audience_pipeline.storage.contract import TableStore
from audience_pipeline.tables import AUDIT_LOG
from audience_pipeline.tables.arrow import arrow_schema

Action = Literal["approve", "reject", "deliver", "restore", "rotate", "export", "open_session"]
_NAMESPACE = UUID("1d0a3f4c-52c7-5b52-8d43-6f0c9f1b7f3e")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done: to whose rows, when (aware), by whom, to which of them, and what else is to know."""

    user_id: str
    at: datetime
    action: Action
    actor: str
    object: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Identifies the entry: the same for the same thing done at the same moment."""
        parts = (self.user_id, self.at.isoformat(), self.action, self.actor, self.object)
        return str(uuid5(_NAMESPACE, "\n".join(map(str, parts))))


def account() -> str:
    """Return who runs this process, for whoever names nobody else."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def record(store: TableStore, entries: Iterable[Entry]) -> None:
    """Append entries; those that are there already stay as they are."""
    rows = [_row(entry) for entry in entries]
    if rows:
        store.upsert(AUDIT_LOG, pa.Table.from_pylist(rows, schema=arrow_schema(AUDIT_LOG)))


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "audit_id": entry.id,
        "user_id": entry.user_id,
        "created_at": entry.at.astimezone(UTC).replace(tzinfo=None),
        "action": entry.action,
        "actor": entry.actor,
        "object": entry.object,
        "details": msgspec.json.encode(entry.details, order="deterministic").decode() if entry.details else None,
    }
