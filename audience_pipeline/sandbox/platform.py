"""How the sandbox behaves as a platform: what it takes, under which key, and how it reports on it.

Belongs here: the rules, as replies to calls that are already authenticated. Does not belong here: HTTP, time that
passes while a call waits. The words are those of AdCP's signals; all numbers are simulated and say so.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec

from audience_pipeline.sandbox.faults import Fault, Kind
from audience_pipeline.sandbox.state import State, Stored

MINIMUM_SIZE = 25
"""Members a segment, and what is matched of an audience, must have."""


class _Destination(msgspec.Struct):
    platform: str
    account: str | None = None


class _Segment(msgspec.Struct):
    segment_id: Annotated[str, msgspec.Meta(min_length=1)]
    size: Annotated[int, msgspec.Meta(ge=0)]


class _Activation(msgspec.Struct):
    """What the platform reads of a payload; the rest is kept as a digest."""

    action: Literal["activate"]
    mode: Literal["replace", "merge"]
    destination: _Destination
    audience: str
    segments: Annotated[list[_Segment], msgspec.Meta(min_length=1)]
    match_rate: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None


@dataclass(frozen=True, slots=True)
class _Offer:
    """A payload that is new under its key."""

    account: str
    key: str
    digest: str
    activation: _Activation
    fault: Kind | None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its HTTP status, its JSON, and headers besides."""

    status: HTTPStatus
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds from taking a submission to its numbers, and from those to the decision on it."""

    processing: float = 1.0
    approval: float = 1.0


def problem(status: HTTPStatus, code: str, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Return a reply that says what is wrong."""
    return Reply(status, {"error": {"code": code, "message": message}}, headers or {})


class Platform:
    """The rules over the state; ``clock`` tells seconds since 1970."""

    def __init__(self, state: State, timing: Timing, clock: Callable[[], float]) -> None:
        self._state, self._timing, self._clock = state, timing, clock

    def submit(self, account: str, key: str, payload: bytes, fault: Fault | None) -> Reply:
        """Take a payload: once for its key, which stays bound to these bytes."""
        try:
            activation = msgspec.json.decode(payload, type=_Activation)
        except msgspec.DecodeError as error:
            return problem(HTTPStatus.BAD_REQUEST, "INVALID_REQUEST", str(error))
        digest = hashlib.sha256(payload).hexdigest()
        with self._state.exclusively():
            kept = self._state.repeated(account, key)
            if kept is not None and kept.digest != digest:
                return problem(HTTPStatus.CONFLICT, "IDEMPOTENCY_CONFLICT", "the key was used for another payload")
            if kept is not None:
                return Reply(HTTPStatus.OK, _taken(kept))
            return self._take(_Offer(account, key, digest, activation, fault.kind if fault else None))

    def find(self, account: str, key: str) -> Reply:
        """Return what was taken under a key."""
        kept = self._state.by_key(account, key)
        return Reply(HTTPStatus.OK, _taken(kept)) if kept else _unknown("a submission under this key")

    def poll(self, account: str, reference: str, fault: Fault | None) -> Reply:
        """Return how a submission is doing."""
        kept = self._state.by_reference(account, reference)
        if kept is None:
            return _unknown("this reference")
        return Reply(HTTPStatus.OK, self._report(kept, unknown_size=fault is not None and fault.kind == "unknown_size"))

    def withdraw(self, account: str, reference: str) -> Reply:
        """Take a submission out of use; again changes nothing."""
        if self._state.by_reference(account, reference) is None:
            return _unknown("this reference")
        self._state.withdraw(reference, self._clock())
        return Reply(HTTPStatus.OK, {"reference": reference, "is_live": False})

    def audiences(self) -> list[dict[str, Any]]:
        """Return every submission in effect, for those who look behind the scenes."""
        told = ("account", "idempotency_key", "reference", "digest", "platform", "audience", "requests")
        return [
            {name: getattr(kept, name) for name in told}
            | {"accepted": _json(kept.accepted), "members": _json(kept.members)}
            for kept in self._state.effective()
        ]

    def _take(self, offer: _Offer) -> Reply:
        segments, destination = offer.activation.segments, offer.activation.destination
        refused = _refused(segments, offer.fault)
        taken = {each.segment_id: each.size for each in segments if each.segment_id not in refused}
        if not taken:
            return Reply(HTTPStatus.OK, {"accepted": [], "refused": _refusals(refused)})
        kept = Stored(
            account=offer.account,
            idempotency_key=offer.key,
            reference=_reference(offer),
            digest=offer.digest,
            platform=destination.platform,
            audience=offer.activation.audience,
            accepted=_text(list(taken)),
            refused=_text(_refusals(refused)),
            members=_text(self._before(offer) | taken),
            match_rate=offer.activation.match_rate,
            denied=offer.fault == "denied",
            accepted_at=self._clock(),
        )
        self._state.keep(kept)
        return Reply(HTTPStatus.ACCEPTED, _taken(kept))

    def _before(self, offer: _Offer) -> dict[str, int]:
        """Return the segments of the audience that stay beside those offered."""
        if offer.activation.mode == "replace":
            return {}
        platform = offer.activation.destination.platform
        latest = self._state.latest(offer.account, platform, offer.activation.audience)
        return dict(_json(latest.members)) if latest else {}

    def _report(self, kept: Stored, *, unknown_size: bool) -> dict[str, Any]:
        age = self._clock() - kept.accepted_at
        if kept.withdrawn_at is not None:
            return {"reference": kept.reference, "status": "suspended", "is_live": False}
        if age < self._timing.processing:
            return {"reference": kept.reference, "status": "processing", "is_live": False}
        numbers = _numbers(kept, unknown_size=unknown_size)
        small = -1 < numbers.get("matched_count", -1) < MINIMUM_SIZE
        decided = age >= self._timing.processing + self._timing.approval
        approval = ("denied" if kept.denied else "approved") if decided else "pending"
        return {
            "reference": kept.reference,
            "status": "too_small" if small else "ready",
            "approval": approval,
            "is_live": approval == "approved" and not small,
            "activation_key": f"sandbox:{kept.account}:{kept.audience}",
            "minimum_size": MINIMUM_SIZE,
            "as_of": self._clock(),
            "simulated": True,
            **numbers,
        }


def _refused(segments: Sequence[_Segment], fault: Kind | None) -> dict[str, str]:
    """Return why segments are refused, by id."""
    refused = {each.segment_id: "BELOW_MINIMUM_SIZE" for each in segments if each.size < MINIMUM_SIZE}
    if fault == "partial_success":
        refused |= {each.segment_id: "POLICY_VIOLATION" for each in segments[1:]}
    return refused


def _reference(offer: _Offer) -> str:
    return f"sandbox-{hashlib.sha256(repr((offer.account, offer.key)).encode()).hexdigest()[:24]}"


def _numbers(kept: Stored, *, unknown_size: bool) -> dict[str, Any]:
    """Return the counts: -1, as some platforms say it, where they are unknown; left out where nobody could tell."""
    if unknown_size:
        return {"uploaded_count": -1, "matched_count": -1}
    uploaded = sum(_json(kept.members).values())
    if kept.match_rate is None:
        return {"uploaded_count": uploaded}
    matched = int(uploaded * kept.match_rate)
    return {"uploaded_count": uploaded, "matched_count": matched, "effective_match_rate": matched / max(uploaded, 1)}


def _taken(kept: Stored) -> dict[str, Any]:
    return {
        "reference": kept.reference,
        "digest": kept.digest,
        "accepted": _json(kept.accepted),
        "refused": _json(kept.refused),
    }


def _refusals(refused: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"segment_id": key, "code": code, "message": _WHY[code]} for key, code in refused.items()]


_WHY = {
    "BELOW_MINIMUM_SIZE": f"fewer than {MINIMUM_SIZE} members",
    "POLICY_VIOLATION": "not in line with our policies",
}


def _unknown(what: str) -> Reply:
    return problem(HTTPStatus.NOT_FOUND, "NOT_FOUND", f"there is not {what}")


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _json(text: str) -> Any:  # noqa: ANN401 - what this module encoded
    return msgspec.json.decode(text)
