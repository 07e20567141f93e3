"""The audiences of the demo: who owns each, its segments and their sizes, and the record that describes it.

Belongs here: the audience of a number, in outline (what its distributions need) and in full; both draw the same stream,
so they agree without anybody holding them. Does not belong here: how many there are.

Segments may overlap, so their sizes add up to anything; none is larger than the audience.
"""

from random import Random
from typing import NamedTuple

from audience_pipeline.demo import names
from audience_pipeline.demo.draws import Weighted, pick, stream, uuid4, whole
from audience_pipeline.demo.moments import Seasons, to_text
from audience_pipeline.demo.prizm import BY_GROUP, SEGMENTS, SOCIAL_GROUPS, PrizmSegment
from audience_pipeline.demo.tenants import Record, Tenant, Tenants
from audience_pipeline.demo.variables import VARIABLES, Variable

_STATUS = Weighted({"active": 0.72, "archived": 0.14, "draft": 0.14})
_DATA_TYPE = Weighted({"third_party": 0.5, "first_party": 0.35, "clean_room": 0.15})
_SOURCES = {
    "first_party": "the brand's own customer aggregates",
    "third_party": "licensed household variables",
    "clean_room": "a clean-room overlap of two partners",
}
_UNSIZED_DRAFTS = 0.25
_SMALLEST, _RANGE = 5_000, 1_000
_TO_LETTERS = str.maketrans("0123456789", "ghijklmnop")


class Outline(NamedTuple):
    """What the distributions of an audience need to know of it."""

    audience_id: str
    tenant: Tenant
    created: int
    status: str
    total: int
    segment_ids: tuple[str, ...]
    sizes: tuple[int, ...]
    """One a segment, in the order of their ids."""


class Audiences:
    """The audiences of one world, each derived from the seed and its number when it is asked for."""

    def __init__(self, seed: int, tenants: Tenants, seasons: Seasons) -> None:
        self._seed, self._tenants, self._seasons = seed, tenants, seasons

    def outline(self, number: int) -> Outline:
        """Return the audience of a number in outline."""
        return self._outline(self._stream(number))

    def record(self, number: int) -> Record:
        """Return the audience of a number as its record."""
        rng = self._stream(number)
        outline = self._outline(rng)
        goal, region = pick(rng, names.GOALS), pick(rng, names.REGIONS)
        data_type = _DATA_TYPE.pick(rng)
        variables = rng.sample(VARIABLES, whole(rng, 5, 12))
        return {
            "audience_id": outline.audience_id,
            "user_id": outline.tenant.user_id,
            "name": f"{region} {goal}",
            "description": f"{goal.capitalize()} in {region}, from {_SOURCES[data_type]}.",
            "created_at": to_text(outline.created),
            "updated_at": to_text(self._seasons.later(outline.created, rng.random() ** 3)),
            "status": outline.status,
            "data_type": data_type,
            "original_query": _query(goal, region, variables),
            "selected_variables": [variable.code for variable in variables],
            "variable_details": _details(rng, variables),
            "segments": [_segment(rng, outline, index) for index in range(len(outline.sizes))],
            "total_audience_size": outline.total,
            "metadata": _metadata(rng),
        }

    def _stream(self, number: int) -> Random:
        return stream(self._seed, "audience", number)

    def _outline(self, rng: Random) -> Outline:
        audience_id = uuid4(rng)
        tenant = self._tenants.pick(rng)
        status = _STATUS.pick(rng)
        unsized = status == "draft" and rng.random() < _UNSIZED_DRAFTS
        total = 0 if unsized else int(_SMALLEST * _RANGE ** rng.random())
        sizes = tuple(sorted((int(total * (0.05 + 0.5 * rng.random())) for _ in range(whole(rng, 3, 8))), reverse=True))
        token = audience_id[:8].translate(_TO_LETTERS)
        ids = tuple(f"seg_{token}_{index:02d}" for index in range(1, len(sizes) + 1))
        return Outline(
            audience_id, tenant, self._seasons.later(tenant.settled, rng.random()), status, total, ids, sizes
        )


def _query(goal: str, region: str, variables: list[Variable]) -> str:
    wishes = "; ".join(variable.description for variable in variables[:3])
    return f"Find {goal} in {region}: {wishes}"


def _details(rng: Random, variables: list[Variable]) -> list[Record]:
    """Describe the variables, each less relevant than the one before, as a search ranks them."""
    score, details = 1.0, []
    for variable in variables:
        score *= 0.8 + 0.2 * rng.random()
        details.append(
            {
                "code": variable.code,
                "description": variable.description,
                "relevance_score": round(score, 4),
                "type": variable.type,
            }
        )
    return details


def _segment(rng: Random, outline: Outline, index: int) -> Record:
    core = pick(rng, SEGMENTS)
    kin = BY_GROUP[core.group]
    place = kin.index(core)
    related = (kin[place:] + kin[:place])[: whole(rng, 1, 4)]
    size = outline.sizes[index]
    return {
        "segment_id": outline.segment_ids[index],
        "name": f"{core.name}: {pick(rng, names.HABITS)}",
        "size": size,
        "size_percentage": round(100 * size / outline.total, 2) if outline.total else 0.0,
        "characteristics": _characteristics(rng, core),
        "prizm_segments": [segment.code for segment in related],
    }


def _characteristics(rng: Random, segment: PrizmSegment) -> Record:
    return {
        "urbanicity": segment.urbanicity,
        "social_group": SOCIAL_GROUPS[segment.group],
        "age_band": pick(rng, names.AGE_BANDS),
        "income_band": names.INCOME_BANDS[int(segment.code) * len(names.INCOME_BANDS) // (len(SEGMENTS) + 1)],
        "homeowner_share": round(rng.random(), 2),
        "top_channels": rng.sample(names.CHANNELS, 2),
    }


def _metadata(rng: Random) -> Record:
    return {
        "tags": rng.sample(names.TAGS, whole(rng, 1, 4)),
        "campaign_id": f"CMP-{whole(rng, 1, 9_999):04d}",
        "notes": pick(rng, names.NOTES) if rng.random() < 1 / 3 else None,
    }
