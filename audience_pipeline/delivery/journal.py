"""The journal of distributions: an event for each transition, attempt and decision, appended and never changed.

Belongs here: what an event is and where it is kept. Does not belong here: which events there are.

An event follows from the row it tells of, and so does its id. So whoever finds the row changed can append the event
once more, for a process that was killed before it could, and there is still one of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec
import pyarrow as pa

from audience_pipeline.ingest.moments import millis
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.tables import DISTRIBUTION_EVENTS
from audience_pipeline.tables.arrow import arrow_schema

_NAMESPACE = UUID("8f1d6f0e-6a0e-5a53-9a2c-3d0b5a8f2c11")


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a distribution.

    ``at`` is aware and cut to milliseconds. ``from_status`` and ``to_status`` are the same where its status stayed.
    ``attempt`` counts from 1; 0 is before any. ``evidence`` is what is to be known besides, secrets left out.
    """

    distribution_id: str
    user_id: str
    at: datetime
    from_status: str
    to_status: str
    actor: str
    reason: str
    attempt: int = 0
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Identifies the event: the same for the same change of the same row."""
        steps = (self.distribution_id, self.attempt, self.from_status, self.to_status)
        stayed = (millis(self.at),) if self.from_status == self.to_status else ()
        return str(uuid5(_NAMESPACE, "\n".join(map(str, (*steps, *stayed)))))


def append(store: TableStore, events: Iterable[Event]) -> None:
    """Append events; those that are there already stay as they are."""
    rows = [_row(event) for event in events]
    if rows:
        store.upsert(DISTRIBUTION_EVENTS, pa.Table.from_pylist(rows, schema=arrow_schema(DISTRIBUTION_EVENTS)))


def _row(event: Event) -> dict[str, Any]:
    return {
        "event_id": event.id,
        "distribution_id": event.distribution_id,
        "user_id": event.user_id,
        "created_at": event.at.astimezone(UTC).replace(tzinfo=None),
        "from_status": event.from_status,
        "to_status": event.to_status,
        "attempt": event.attempt,
        "actor": event.actor,
        "reason": event.reason,
        "evidence": msgspec.json.encode(event.evidence, order="deterministic").decode() if event.evidence else None,
    }
