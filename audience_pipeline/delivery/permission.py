"""Whether a distribution may be sent as it is now, by what somebody decided.

Belongs here: what an approval, once given, still covers. Does not belong here: giving one (:mod:`.approval`).

An approval covers the content whose digest it names. It has to be used before it expires. A standing one also covers
later refreshes of the same content, whatever their sizes, which the guards look after: it lasts until the content
changes, the distribution it was given for is withdrawn, or another one of the pair completes without it. There is no
end in time to it, since a monthly refresh would outlive every other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audience_pipeline.delivery.cases import Case
from audience_pipeline.delivery.connectors.contract import Hold
from audience_pipeline.delivery.distribution import aware
from audience_pipeline.tables.shapes import EngineDistributionMetadata

REFRESHES = ("refresh", "incremental")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a distribution will never be sent as it is: a code, and what a person needs to know."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Permission:
    """That it may be sent; ``members`` of its metadata tell by which standing approval, where it has none itself."""

    members: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Policy:
    """What is asked of approvals."""

    required: bool = True
    trust_landed: bool = False


def permission_of(case: Case, policy: Policy, now: datetime) -> Permission | Hold | Refusal:
    """Return whether a distribution may be sent; audience and platform are there."""
    decision, digest = case.distribution.metadata, case.content.digest
    if not policy.required:
        return Permission({})
    if decision.approval_status == "rejected":
        return Refusal("approval_rejected", f"it landed as rejected by {decision.approved_by or 'nobody named'}")
    if decision.approval_status == "approved" and decision.approval_digest == digest:
        return _in_time(decision, now)
    if decision.approval_status == "approved" and decision.approval_digest is None and policy.trust_landed:
        return Permission({})
    members = _standing(case, digest)
    return Permission(members) if members else _missing(decision, digest)


def _missing(decision: EngineDistributionMetadata, digest: str) -> Hold:
    if decision.approval_status != "approved" or decision.approval_digest is None:
        return Hold("approval_pending", "nobody has approved it yet")
    found = f"its content is {digest[:12]}, approved was {decision.approval_digest[:12]}"
    return Hold("approval_void", f"{found}: look at what changed, and approve it again")


def _in_time(decision: EngineDistributionMetadata, now: datetime) -> Permission | Refusal:
    expires = decision.approval_expires_at
    if expires is None or aware(expires) > now:
        return Permission({})
    return Refusal("approval_expired", f"its approval of {_day(decision.approval_at)} ended on {_day(expires)}")


def _standing(case: Case, digest: str) -> dict[str, Any] | None:
    """Return the members that tell of a standing approval that covers a refresh."""
    previous = case.previous
    if case.distribution.row["distribution_type"] not in REFRESHES or previous is None:
        return None
    given = previous.metadata
    if not given.approval_standing or given.approval_standing_digest != digest:
        return None
    names = ("approved_by", "approval_at", "approval_reason", "approval_verified", "approval_standing_digest")
    kept = {name: getattr(given, name) for name in names}
    return {
        **{name: value for name, value in kept.items() if value is not None},
        "approval_status": "approved",
        "approval_standing": True,
        "approval_digest": digest,
        "approval_expires_at": None,
    }


def _day(moment: datetime | None) -> str:
    return "an unknown day" if moment is None else f"{moment:%Y-%m-%d}"
