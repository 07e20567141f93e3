"""What a distribution would send, as a value: the thing an approval is bound to.

Belongs here: which parts of an audience, a platform and a request count as content. Does not belong here: how a
platform wants to be told (a connector's payload), or who approved it.

Content is what people decide on: which segments, what they are called and made of, whom they go to, at what price. An
initial distribution also counts their sizes; a refresh sends the same segments at today's sizes. Descriptions, notes,
tags and sealed credentials are no content: a new seal, or a note, voids nobody's approval.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

Row = Mapping[str, Any]
_OF_SEGMENT = ("segment_id", "name", "characteristics", "prizm_segments")


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent, and to whom.

    ``segments`` are those asked for, in the order of their ids, each with what the audience says of it; one that the
    audience does not have is there with its id alone.
    """

    audience_id: str
    platform_id: str
    platform_type: str
    account_id: str | None
    price: float | None
    segments: Sequence[Mapping[str, Any]]

    @property
    def digest(self) -> str:
        """The SHA-256 of all of it, in hexadecimal; equal on every backend."""
        return hashlib.sha256(msgspec.json.encode(asdict(self), order="deterministic")).hexdigest()


def content_of(distribution: Row, audience: Row, platform: Row) -> Content:
    """Return what ``distribution`` would send, from stored rows (JSON columns as texts)."""
    names = (*_OF_SEGMENT, "size") if distribution["distribution_type"] in {None, "initial"} else _OF_SEGMENT
    known = {segment["segment_id"]: segment for segment in _members(audience["segments"]) or ()}
    asked = sorted(set(distribution["segments_distributed"] or ()))
    parts = [{"segment_id": key} | _present(known.get(key) or {}, names) for key in asked]
    return Content(
        audience_id=audience["audience_id"],
        platform_id=platform["platform_id"],
        platform_type=platform["platform_type"],
        account_id=(_members(platform["credentials"]) or {}).get("account_id"),
        price=(_members(distribution["metadata"]) or {}).get("cost_estimate"),
        segments=parts,
    )


def _present(segment: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: segment[name] for name in names if segment.get(name) is not None}


def _members(text: str | None) -> Any:  # noqa: ANN401 - any JSON
    return None if text is None else msgspec.json.decode(text)
