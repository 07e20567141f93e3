"""The journal of distributions: an event for each transition, attempt and decision, appended and never changed.

Belongs here: what an event is and where it is kept. Does not belong here: which events there are.

An event follows from the row it tells of, and so does its id. So whoever finds the row changed can append the event
once more, for a process that was killed before it could, and there is still one of it. Whoever takes the next step of
a row appends those of the last one first; one that ended is looked at once more for that.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec
import pyarrow as pa

from audience_pipeline.delivery.distribution import Distribution
from audience_pipeline.ingest.moments import millis
from audience_pipeline.storage.audit import Action, Entry, record
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.tables import DISTRIBUTION_EVENTS
from audience_pipeline.tables.arrow import arrow_schema

_OF_DECISIONS = (
    "approval_reason",
    "approval_digest",
    "approval_expires_at",
    "approval_standing",
    "approval_verified",
)
_DECISIONS: dict[str, Action] = {"approved": "approve", "approval_rejected": "reject"}
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
        """Identifies the event: the same for the same change of the same row.

        An attempt goes from one status to another once; what is no attempt's, or leaves the status, may happen again.
        """
        steps = (self.distribution_id, self.attempt, self.from_status, self.to_status)
        repeats = self.attempt == 0 or self.from_status == self.to_status
        which = (millis(self.at), self.reason) if repeats else ()
        return str(uuid5(_NAMESPACE, "\n".join(map(str, (*steps, *which)))))


def events_of(row: Distribution) -> Iterator[Event]:
    """Yield the events that follow from a row as it is: its last transition, and the decision on it."""
    last, decision = row.attempt.last, decision_event(row)
    if last is not None:
        yield Event(
            row.id,
            str(row.row["user_id"]),
            at=last.at,
            from_status=last.from_status,
            to_status=last.to_status,
            actor=last.actor,
            reason=last.reason,
            attempt=row.attempt.number,
            evidence=last.evidence or {},
        )
    if decision is not None:
        yield decision


def decision_event(row: Distribution) -> Event | None:
    """Return what the journal tells of a decision on a distribution, from the members that keep it.

    A standing approval was decided on for another distribution, and is an event of that one.
    """
    decision = row.metadata
    if decision.approval_at is None or decision.approval_status not in {"approved", "rejected"}:
        return None
    if decision.approval_status == "approved" and decision.approval_expires_at is None:
        return None
    rejected = decision.approval_status == "rejected"
    evidence = {name: getattr(decision, name) for name in _OF_DECISIONS}
    return Event(
        row.id,
        str(row.row["user_id"]),
        at=decision.approval_at,
        from_status="scheduled",
        to_status="failed" if rejected else "scheduled",
        actor=decision.approved_by or "nobody named",
        reason="approval_rejected" if rejected else "approved",
        evidence={name: value for name, value in evidence.items() if value is not None},
    )


def append(store: TableStore, events: Iterable[Event]) -> None:
    """Append events, and entries of the audit log for decisions and attempts; those that are there stay as they are."""
    events = list(events)
    if events:
        rows = [_row(event) for event in events]
        store.upsert(DISTRIBUTION_EVENTS, pa.Table.from_pylist(rows, schema=arrow_schema(DISTRIBUTION_EVENTS)))
        record(store, (entry for event in events if (entry := _audited(event)) is not None))


def _audited(event: Event) -> Entry | None:
    """Return the entry of the audit log that follows from an event, if one does."""
    begun = (event.from_status, event.to_status) == ("scheduled", "processing")
    action: Action | None = "deliver" if begun else _DECISIONS.get(event.reason)
    if action is None:
        return None
    details = {"event_id": event.id, **({"attempt": event.attempt} if begun else {})}
    return Entry(event.user_id, event.at, action, event.actor, event.distribution_id, details)


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
