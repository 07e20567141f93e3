"""Approval: a person's decision whether a distribution may be sent, kept with the row and in the journal.

Belongs here: who may decide, what a decision is bound to, and how it is recorded. Does not belong here: sending, or
asking for a decision. A decision is a compare-and-set on the row as it was read, so of two people who decide at once
one is told that the other was first. An approval names the digest of the content it was given for, and is void once
that changes; a rejection ends the distribution.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from audience_pipeline.delivery.cases import distributions
from audience_pipeline.delivery.content import content_of
from audience_pipeline.delivery.distribution import Distribution, Row, by_key
from audience_pipeline.delivery.journal import append, events_of
from audience_pipeline.errors import SecurityError, UsageError
from audience_pipeline.ingest.moments import iso
from audience_pipeline.storage.contract import Change, TableStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, PLATFORMS, USERS
from audience_pipeline.tables.shapes import utc_millis

PERMISSION = "approve"
REJECTED = "approval_rejected"
Verdict = Literal["approved", "rejected"]
Outcome = Literal["approved", "rejected", "unchanged", "refused"]
_OF_HOLDS = tuple(f"error_details.{name}" for name in ("hold", "error_message", "look_again_at"))


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided.

    ``standing`` lets an approval cover later refreshes of the same audience, platform and account, too.
    """

    verdict: Verdict
    by: str
    reason: str | None = None
    standing: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a decision for one distribution; ``note`` says why it was refused, or until when it holds."""

    distribution_id: str
    outcome: Outcome
    note: str


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a decision comes to for one row: what to say, what to change if anything, and the row it leaves."""

    decided: Decided
    change: Change | None = None
    after: Distribution | None = None


def decide(
    store: TableStore, distribution_ids: Sequence[str], decision: Decision, *, now: datetime, days: int
) -> list[Decided]:
    """Approve or reject distributions that are scheduled, each on its own; deciding the same again changes nothing.

    Args:
        store: holds the distributions, and what they refer to.
        distribution_ids: which ones; repeated ones count once.
        decision: what was decided, and by whom.
        now: when, aware.
        days: how long an approval holds.

    Raises:
        UsageError: nobody decided, nothing is named, or a rejection has no reason.
        SecurityError: the one who decided has a users row without the permission.
    """
    _check(decision, distribution_ids)
    members = _members(decision, utc_millis(now), days, verified=_verified(store, decision.by))
    keys = list(dict.fromkeys(key.lower() for key in distribution_ids))
    rows = {row.id: row for row in distributions(store, keys)}
    audiences = by_key(store, AUDIENCES, (row.pair[0] for row in rows.values()))
    platforms = by_key(store, PLATFORMS, (row.pair[1] for row in rows.values()))
    standing = bool(members["approval_standing"])
    plans = [_Plan(_unknown(key)) for key in keys if key not in rows]
    for row in rows.values():
        digests = _digests(row, audiences, platforms, standing=standing)
        plans.append(_planned(row, members | digests))
    return sorted(_carried_out(store, plans), key=lambda each: keys.index(each.distribution_id))


def _check(decision: Decision, distribution_ids: Sequence[str]) -> None:
    given = {
        "--by": (decision.by.strip(), "nobody", "who decides"),
        "--reason": (
            (decision.reason or "").strip() or decision.verdict == "approved",
            "a rejection without one",
            "why",
        ),
        "DISTRIBUTION_ID": (distribution_ids, "none", "at least one"),
    }
    for subject, (there, found, expected) in given.items():
        if not there:
            raise UsageError(subject, found=found, expected=expected, remedy="Name it, and run again.")


def _verified(store: TableStore, by: str) -> bool:
    """Return whether the one who decides has a users row, which then must permit it."""
    rows = store.get(USERS, [by], columns=["permissions"]).to_pylist()
    if rows and PERMISSION not in (rows[0]["permissions"] or ()):
        raise SecurityError(
            object=f"user {by}",
            found=f"permissions: {', '.join(rows[0]['permissions'] or ()) or 'none'}",
            expected=f"{PERMISSION} among them",
            remedy="Let somebody decide who may, or land the user with that permission.",
        )
    return bool(rows)


def _members(decision: Decision, now: datetime, days: int, *, verified: bool) -> dict[str, Any]:
    """Return the members of a distribution's metadata that keep a decision, without the digest."""
    approved = decision.verdict == "approved"
    return {
        "approval_status": decision.verdict,
        "approved_by": decision.by,
        "approval_at": iso(now),
        "approval_expires_at": iso(now + timedelta(days=days)) if approved else None,
        "approval_reason": decision.reason,
        "approval_standing": decision.standing if approved else None,
        "approval_verified": verified,
    }


def _digests(
    row: Distribution, audiences: Mapping[str, Row], platforms: Mapping[str, Row], *, standing: bool
) -> dict[str, str | None]:
    """Return the digests a decision is bound to: of the content as it is now, and as a refresh would send it."""
    audience, platform = row.own(audiences, row.pair[0]), row.own(platforms, row.pair[1])
    if audience is None or platform is None:
        return {"approval_digest": None, "approval_standing_digest": None}
    refresh = {**row.row, "distribution_type": "refresh"}
    return {
        "approval_digest": content_of(row.row, audience, platform).digest,
        "approval_standing_digest": content_of(refresh, audience, platform).digest if standing else None,
    }


def _planned(row: Distribution, members: Mapping[str, Any]) -> _Plan:
    stored = row.raw("metadata") or {}
    if _decided_alike(row, stored, members):
        note = "decided so before" if row.status != "scheduled" else _holds(stored)
        return _Plan(Decided(row.id, "unchanged", note), after=row)
    if row.status != "scheduled":
        return _Plan(_refused(row, f"it is {row.status}; only what is scheduled can be decided on"))
    if members["approval_status"] == "approved" and members["approval_digest"] is None:
        return _Plan(_refused(row, "its audience or its platform is not stored; land it first"))
    put = _put(row, members)
    expect = {"status": row.status, "metadata.approval_at": stored.get("approval_at")}
    decided = Decided(row.id, members["approval_status"], _holds(members))
    return _Plan(decided, Change(row.id, expect, put), row.changed(put))


def _decided_alike(row: Distribution, stored: Mapping[str, Any], members: Mapping[str, Any]) -> bool:
    """Return whether the same one decided the same before, of the same content, and it still holds."""
    alike = ["approval_status", "approved_by", "approval_reason"]
    if members["approval_status"] == "rejected":
        return row.details.error_code == REJECTED and all(stored.get(name) == members[name] for name in alike)
    alike += ["approval_digest", "approval_standing"]
    expires = stored.get("approval_expires_at")
    return all(stored.get(name) == members[name] for name in alike) and (
        expires is not None and datetime.fromisoformat(expires) > datetime.fromisoformat(members["approval_at"])
    )


def _put(row: Distribution, members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the new values; whatever it was held for is looked at again, and what ends is journalled once more."""
    put: dict[str, Any] = {f"metadata.{name}": value for name, value in members.items()}
    if row.details.hold is not None:
        put |= dict.fromkeys(_OF_HOLDS)
    if members["approval_status"] == "rejected":
        message = f"rejected by {members['approved_by']}: {members['approval_reason']}"
        put |= {"status": "failed", "error_details.error_code": REJECTED, "error_details.error_message": message}
        put["error_details.look_again_at"] = members["approval_at"]
    return put


def _carried_out(store: TableStore, plans: Sequence[_Plan]) -> list[Decided]:
    """Make the changes, append the events of those that were won or made before, and say what became of each."""
    lost = store.transition(DISTRIBUTIONS, [plan.change for plan in plans if plan.change]).lost
    made = [plan.after for plan in plans if plan.after and plan.after.id not in lost]
    append(store, (event for row in made for event in events_of(row)))
    return [
        replace(plan.decided, outcome="refused", note="somebody changed it just now; look again, and decide again")
        if plan.decided.distribution_id in lost
        else plan.decided
        for plan in plans
    ]


def _unknown(key: str) -> Decided:
    return Decided(key, "refused", "there is no such distribution, or it is archived")


def _refused(row: Distribution, note: str) -> Decided:
    return Decided(row.id, "refused", note)


def _holds(members: Mapping[str, Any]) -> str:
    """Say how far a decision reaches."""
    if members["approval_status"] == "rejected":
        return "it ends as failed"
    standing = ", and for refreshes" if members["approval_standing"] else ""
    return f"until {members['approval_expires_at'][:10]}, for what it sends now{standing}"
