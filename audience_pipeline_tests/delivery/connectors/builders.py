"""Content to deliver."""

from typing import Any

from audience_pipeline.delivery.content import Content

AUDIENCE = "3f0c1f0e-6a0e-4a53-9a2c-3d0b5a8f2c11"
SIZES = {"s1": 4_000, "s2": 1_000}


def content(*segments: dict[str, Any], price: float | None = 120.5, audience_id: str = AUDIENCE) -> Content:
    """Return content of two segments, or of those given."""
    return Content(
        audience_id=audience_id,
        platform_id="8a1d6f0e-6a0e-4a53-9a2c-3d0b5a8f2c12",
        platform_type="facebook",
        account_id="acct 1/ü",
        price=price,
        segments=segments or (segment("s1"), segment("s2")),
    )


def segment(segment_id: str, **members: object) -> dict[str, Any]:
    """Return what an audience says of a segment."""
    return {"segment_id": segment_id, "name": f"Segment {segment_id}", "characteristics": {"age": "25-34"}} | members
