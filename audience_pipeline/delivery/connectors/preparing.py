"""What every connector does to content before it makes a payload of it: order, sizes, digests, and what changed.

Belongs here: the part of ``prepare`` that does not depend on the platform. Does not belong here: any payload. All of it
is pure.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from audience_pipeline.delivery.connectors.contract import Hold, Limits, PreparedSegment
from audience_pipeline.delivery.content import Content


@dataclass(frozen=True, slots=True)
class Part:
    """A segment: what is told of it, and its digest."""

    segment: PreparedSegment
    members: Mapping[str, Any]


def parts_of(content: Content, sizes: Mapping[str, int]) -> list[Part]:
    """Return the segments that have a size, in the order of their ids, each with today's."""
    known = (each for each in content.segments if _size(each, sizes) is not None)
    return [
        _part({**segment, "size": sizes[segment["segment_id"]]})
        for segment in sorted(known, key=lambda each: str(each["segment_id"]))
    ]


def changed(parts: Sequence[Part], since: Mapping[str, str] | None) -> list[Part]:
    """Return the parts that the platform does not have as they are; all of them where ``since`` is None."""
    return [part for part in parts if since is None or since.get(part.segment.segment_id) != part.segment.digest]


def holds_of(content: Content, sizes: Mapping[str, int], included: Sequence[Part], limits: Limits) -> Iterator[Hold]:
    """Yield the reasons not to send that hold for every platform: unknown sizes, and more than it takes at once."""
    unknown = sorted(str(each["segment_id"]) for each in content.segments if _size(each, sizes) is None)
    if unknown:
        yield Hold("size_unknown", f"no size is known of {len(unknown)} segments, the first is {unknown[0]}")
    if len(included) > limits.batch_size:
        found = f"{len(included)} segments, the platform takes {limits.batch_size} at once"
        yield Hold("too_many_segments", found)


def encoded(members: Mapping[str, Any]) -> bytes:
    """Return JSON bytes that do not depend on the order of members."""
    return msgspec.json.encode(members, order="deterministic")


def sha256(payload: bytes) -> str:
    """Return the SHA-256, in hexadecimal."""
    return hashlib.sha256(payload).hexdigest()


def _size(segment: Mapping[str, Any], sizes: Mapping[str, int]) -> int | None:
    return sizes.get(segment["segment_id"])


def _part(members: Mapping[str, Any]) -> Part:
    digest = sha256(encoded(members))
    return Part(PreparedSegment(members["segment_id"], members["size"], digest), members)
