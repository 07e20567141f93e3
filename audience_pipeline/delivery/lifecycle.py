"""The lifecycle of a distribution: every change the engine makes to one, as a compare-and-set and its event.

Belongs here: the state machine, as pure functions from a row to a :class:`Step`. Does not belong here: when a step is
taken, or anything that asks a store or a platform.

    scheduled  -> processing | failed
    processing -> completed | failed | scheduled
    failed     -> scheduled, by an operator

A step from ``scheduled`` expects the row to be as it was read, all that was judged of it included; a step from
``processing`` expects the token of the attempt. So of two who take a step at once one does, and whoever lost the lease
cannot write. The row carries the last thing that happened to it, and the event follows from that: see :mod:`.journal`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from audience_pipeline.delivery.distribution import Distribution
from audience_pipeline.storage.contract import Change
from audience_pipeline.tables.shapes import (
    Attempt,
    EngineErrorDetails,
    EngineMatchResults,
    SentSegment,
    Transition,
    utc_millis,
)

_JUDGED = ("status", "scheduled_at", "distribution_type", "segments_distributed", "metadata", "error_details")
_LISTED = 20
_CLOSING = timedelta(minutes=10)
"""After the end, a later run looks once more whether the journal tells of it."""


class By(NamedTuple):
    """When something is done, and by whom."""

    at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a distribution, not yet made: the row as it is and as it will be, and why (quiet ones: nothing)."""

    change: Change
    before: Distribution
    after: Distribution
    reason: str


@dataclass(frozen=True, slots=True)
class Claim:
    """What a worker takes a distribution for: the token that says it is its own, until when, and what it will send."""

    token: str
    until: datetime
    digest: str
    sent: tuple[SentSegment, ...]
    total_size: int
    full_at: datetime
    approval: Mapping[str, Any]


def claimed(row: Distribution, claim: Claim, by: By) -> Step:
    """Take a scheduled distribution for one attempt to send it; a standing approval it goes under becomes its own."""
    attempt = Attempt(
        number=row.attempt.number + 1,
        generation=row.attempt.generation,
        token=claim.token,
        began_at=utc_millis(by.at),
        lease_until=utc_millis(claim.until),
        digest=claim.digest,
    )
    details = EngineErrorDetails(
        retry_count=row.details.retry_count, next_attempt_at=_overdue(claim.until, by), attempt=attempt
    )
    results = EngineMatchResults(sent=list(claim.sent), total_size=claim.total_size, full_at=utc_millis(claim.full_at))
    put = {"match_results": results, **{f"metadata.{name}": value for name, value in claim.approval.items()}}
    return _step(row, _To("processing", "claimed", {"digest": claim.digest}), by, details, **put)


def idempotency_key(row: Distribution) -> str:
    """Return the key under which a platform takes a distribution once, whatever happens in between."""
    return f"{row.id}.{row.attempt.generation}"


def extended(row: Distribution, until: datetime, by: By) -> Step:
    """Hold on to a claim for longer; that is no event."""
    attempt = msgspec.structs.replace(row.attempt, lease_until=utc_millis(until))
    return _quietly(row, next_attempt_at=_overdue(until, by), attempt=attempt)


def taken_over(row: Distribution, token: str, until: datetime, by: By) -> Step:
    """Take a claim whose lease ran out, to find out what became of it; nothing is sent under it any more."""
    attempt = msgspec.structs.replace(row.attempt, token=token, lease_until=utc_millis(until))
    details = msgspec.structs.replace(row.details, next_attempt_at=_overdue(until, by), attempt=attempt)
    return _step(row, _To("processing", "lease_expired"), by, details)


def unresolved(row: Distribution, code: str, message: str, until: datetime, by: By) -> Step:
    """Note that nobody knows yet what became of a submission, and when the platform is asked once more."""
    attempt = msgspec.structs.replace(row.attempt, lease_until=None, polls=row.attempt.polls + 1)
    details = msgspec.structs.replace(
        row.details, error_code=code, error_message=message, next_attempt_at=utc_millis(until), attempt=attempt
    )
    return _step(row, _To("processing", "outcome_unresolved", {"error": message}), by, details)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a platform took: its reference, and ids of the segments it refused with the reasons."""

    reference: str
    refused: Mapping[str, str]
    poll_at: datetime
    sent_is_known: bool = True


def accepted(row: Distribution, taken: Accepted, by: By) -> Step:
    """Note that the platform took what was sent; what it refused is not among what it was sent."""
    now = utc_millis(by.at)
    attempt = msgspec.structs.replace(
        row.attempt, reference=taken.reference, submitted_at=now, lease_until=None, polls=0
    )
    details = EngineErrorDetails(
        retry_count=row.details.retry_count, next_attempt_at=utc_millis(taken.poll_at), attempt=attempt
    )
    if taken.refused:
        first = next(iter(taken.refused.items()))
        details.error_code = "partially_refused"
        details.error_message = f"{len(taken.refused)} segments refused, the first is {first[0]}: {first[1]}"
    sent = [each for each in row.results.sent or () if each.segment_id not in taken.refused]
    results = msgspec.structs.replace(row.results, sent=sent if taken.sent_is_known else None)
    evidence = {"reference": taken.reference, "refused": dict(list(taken.refused.items())[:_LISTED]) or None}
    to = _To("processing", "accepted", evidence)
    return _step(row, to, by, details, executed_at=now, match_results=results)


def polled(row: Distribution, again: datetime, problem: tuple[str, str] | None) -> Step:
    """Note that the platform has nothing to report yet, or did not answer, and when it is asked again; no event."""
    attempt = msgspec.structs.replace(row.attempt, polls=row.attempt.polls + 1)
    kept = row.details.error_code == "partially_refused"
    told = {"error_code": problem[0], "error_message": problem[1]} if problem and not kept else {}
    return _quietly(row, next_attempt_at=utc_millis(again), attempt=attempt, **told)


def completed(row: Distribution, results: EngineMatchResults, by: By, evidence: Mapping[str, Any]) -> Step:
    """End a distribution well."""
    partial = row.details.error_code == "partially_refused"
    details = EngineErrorDetails(
        retry_count=row.details.retry_count,
        error_code=row.details.error_code if partial else None,
        error_message=row.details.error_message if partial else None,
        look_again_at=utc_millis(by.at + _CLOSING),
        attempt=msgspec.structs.replace(row.attempt, lease_until=None),
    )
    results = msgspec.structs.replace(results, outcome=results.outcome or ("partial" if partial else "delivered"))
    sent_at = row.row["executed_at"] or utc_millis(by.at)
    to = _To("completed", results.outcome or "delivered", evidence)
    return _step(row, to, by, details, match_results=results, executed_at=sent_at)


def failed(row: Distribution, code: str, message: str, by: By, evidence: Mapping[str, Any] | None = None) -> Step:
    """End a distribution badly; what was meant to be sent is not on record as sent unless the platform took it."""
    details = EngineErrorDetails(
        error_code=code,
        error_message=message,
        retry_count=row.details.retry_count,
        look_again_at=utc_millis(by.at + _CLOSING),
        attempt=msgspec.structs.replace(row.attempt, lease_until=None),
    )
    to = _To("failed", code, {"error": message, **(evidence or {})})
    return _step(row, to, by, details, **({} if row.attempt.reference else {"match_results": None}))


@dataclass(frozen=True, slots=True)
class Later:
    """That something is tried again: why, from when on, and whether this counts as one of the tries there are."""

    code: str
    message: str
    at: datetime
    counts: bool = True
    hold: str | None = None


def rescheduled(row: Distribution, later: Later, by: By, evidence: Mapping[str, Any] | None = None) -> Step:
    """Give a claimed distribution back, to be tried again under the same idempotency key."""
    details = EngineErrorDetails(
        error_code=later.code,
        error_message=later.message,
        retry_count=((row.details.retry_count or 0) + later.counts) or None,
        hold=later.hold,
        next_attempt_at=None if later.hold else utc_millis(later.at),
        look_again_at=utc_millis(later.at) if later.hold else None,
        attempt=_idle(row.attempt),
    )
    to = _To("scheduled", later.code, {"error": later.message, **(evidence or {})})
    return _step(row, to, by, details, match_results=None)


def held(row: Distribution, reason: str, detail: str, again: datetime, by: By) -> Step:
    """Note why a scheduled distribution is not sent; only another reason is an event."""
    told = {"error_code": None, "error_message": detail, "hold": reason, "look_again_at": utc_millis(again)}
    if row.details.hold == reason:
        return _quietly(row, **told)
    details = msgspec.structs.replace(row.details, **told)
    return _step(row, _To("scheduled", reason, {"hold": detail}), by, details)


def retried(row: Distribution, by: By, *, resend: bool) -> Step:
    """Schedule a failed distribution again, by an operator; its approval is asked for anew where that was the failure.

    A submission that the platform took, or may have taken, has used its idempotency key: another one is made.
    """
    used = resend or row.attempt.reference is not None or row.details.error_code == "nothing_accepted"
    attempt = Attempt(number=row.attempt.number + 1, generation=row.attempt.generation + used)
    put: dict[str, Any] = {"executed_at": None, "match_results": None}
    if row.metadata.approval_status == "rejected" or row.details.error_code == "approval_expired":
        put["metadata.approval_status"] = "pending"
    evidence = {"failure": row.details.error_code, "resend": resend or None}
    details = EngineErrorDetails(attempt=attempt)
    return _step(row, _To("scheduled", "retry", evidence), by, details, **put)


def withdrawn(row: Distribution, reason: str, by: By) -> Step:
    """Note that the platform took an audience out of use at somebody's wish; completed stays completed."""
    results = msgspec.structs.replace(row.results, outcome="withdrawn")
    details = msgspec.structs.replace(row.details, look_again_at=utc_millis(by.at + _CLOSING))
    return _step(row, _To(row.status, "withdrawn", {"why": reason}), by, details, match_results=results)


def postponed(row: Distribution, until: datetime) -> Step:
    """Look at a submission later, without having asked the platform; no event."""
    return _quietly(row, next_attempt_at=utc_millis(until))


def closed(row: Distribution) -> Step:
    """Take an ended distribution off the agenda, once the journal is known to tell of it."""
    return _quietly(row, look_again_at=None)


@dataclass(frozen=True, slots=True)
class _To:
    """The status a step leads to, and why, with what is to be known besides."""

    status: str
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


def _step(row: Distribution, to: _To, by: By, details: EngineErrorDetails, **put: Any) -> Step:  # noqa: ANN401 - columns
    """Return a step that is an event."""
    told = {name: value for name, value in to.evidence.items() if value is not None}
    last = Transition(
        at=utc_millis(by.at),
        from_status=row.status,
        to_status=to.status,
        actor=by.actor,
        reason=to.reason,
        evidence=told or None,
    )
    attempt = msgspec.structs.replace(details.attempt or Attempt(), last=last)
    details = msgspec.structs.replace(details, attempt=attempt)
    return _made(row, {"status": to.status, "error_details": details, **put}, to.reason)


def _quietly(row: Distribution, **details: Any) -> Step:  # noqa: ANN401 - members of error_details
    """Return a step that no event tells of."""
    return _made(row, {"error_details": msgspec.structs.replace(row.details, **details)}, "")


def _made(row: Distribution, put: Mapping[str, Any], reason: str) -> Step:
    return Step(Change(row.id, _expected(row), put), row, row.changed(put), reason)


def _expected(row: Distribution) -> dict[str, Any]:
    if row.status == "processing":
        attempt = row.raw("error_details")["attempt"]
        told = {f"error_details.attempt.{name}": attempt.get(name) for name in ("token", "reference", "polls")}
        return {"status": row.status, **told}
    return {name: row.raw(name) for name in _JUDGED}


def _idle(attempt: Attempt) -> Attempt:
    """Return an attempt that is nobody's any more."""
    return Attempt(number=attempt.number, generation=attempt.generation, digest=attempt.digest)


def _overdue(until: datetime, by: By) -> datetime:
    """Return when others may take a claim over: half a lease after its end, for clocks that disagree."""
    return utc_millis(until + max((until - by.at) / 2, timedelta(0)))
