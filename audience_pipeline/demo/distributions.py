"""The distributions of the demo: requests to send an audience to a platform, and how they ended.

Belongs here: how many distributions each audience has, and their records in the order they were asked for. Does not
belong here: the audience itself.

Audiences are taken in chunks: a chunk's share of all distributions follows from its place alone, and inside it a few
audiences get most, drafts none. The first request to a platform is initial; later ones refresh it.
"""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from audience_pipeline.demo import names
from audience_pipeline.demo.audiences import Audiences, Outline
from audience_pipeline.demo.draws import Weighted, pick, stream, uuid4, whole
from audience_pipeline.demo.moments import DAY_MS, HOUR_MS, Seasons, to_text
from audience_pipeline.demo.tenants import MATCH_RATES, Platform, Record

CHUNK = 128
"""How many audiences are in memory at once, in outline."""

_OPEN_DAYS = 3
_FAILED = 0.07
_REJECTED = 0.1
_REPEAT = Weighted({"refresh": 0.65, "incremental": 0.35})
_WAITING = Weighted({"pending": 0.5, "approved": 0.45, "rejected": 0.05})
_FAILURE = Weighted(dict(zip(names.FAILURES, (0.3, 0.25, 0.2, 0.1, 0.1, 0.05), strict=True)))
_UNCHANGED = 0.03


class Request(NamedTuple):
    """One distribution as it was asked for."""

    outline: Outline
    platform: Platform
    created: int
    kind: str
    segments: int
    records: int


class Distributions:
    """The distributions of one world, ``count`` in all, over its ``audience_count`` audiences."""

    def __init__(self, seed: int, count: int, audience_count: int, audiences: Audiences, seasons: Seasons) -> None:
        self._seed, self._count, self._audience_count = seed, count, audience_count
        self._audiences, self._seasons = audiences, seasons

    def records(self) -> Iterator[Record]:
        """Yield all records, audience by audience and in the order they were asked for."""
        for first in range(0, self._audience_count, CHUNK):
            end = min(first + CHUNK, self._audience_count)
            share = self._before(end) - self._before(first)
            rng = stream(self._seed, "distributions", first)
            outlines = [self._audiences.outline(number) for number in range(first, end)]
            shown = [outline for outline in outlines if outline.status != "draft"] or outlines
            for outline, count in zip(shown, _shares(rng, share, len(shown)), strict=True):
                yield from self._of_audience(rng, outline, count)

    def _before(self, number: int) -> int:
        """Return how many distributions belong to the audiences before ``number``."""
        return self._count * number // self._audience_count

    def _of_audience(self, rng: Random, outline: Outline, count: int) -> Iterator[Record]:
        created, seen = outline.created, set[str]()
        for left in range(count, 0, -1):
            # The least of `left` even draws, so that times come in order without being held.
            created = self._seasons.later(created, 1 - rng.random() ** (1 / left))
            platform = pick(rng, outline.tenant.platforms)
            kind = _REPEAT.pick(rng) if platform.platform_id in seen else "initial"
            seen.add(platform.platform_id)
            yield self._record(rng, _request(rng, outline, platform, created, kind))

    def _record(self, rng: Random, request: Request) -> Record:
        distribution_id = uuid4(rng)
        age_days = (self._seasons.now - request.created) / DAY_MS
        waiting = rng.random() < _OPEN_DAYS / (_OPEN_DAYS + age_days)
        outcome = self._waiting(rng, request) if waiting else self._finished(rng, request)
        return {
            "distribution_id": distribution_id,
            "user_id": request.outline.tenant.user_id,
            "audience_id": request.outline.audience_id,
            "platform_id": request.platform.platform_id,
            "created_at": to_text(request.created),
            "scheduled_at": None,
            "executed_at": None,
            "status": "scheduled",
            "distribution_type": request.kind,
            "segments_distributed": list(request.outline.segment_ids[: request.segments]),
            "match_results": None,
            "error_details": None,
            "metadata": None,
            **outcome,
        }

    def _waiting(self, rng: Random, request: Request) -> Record:
        """Return the outcome still to come: due at once, or some time in the next three months."""
        due = None if rng.random() < 1 / 3 else to_text(self._seasons.now + int(90 * DAY_MS * rng.random() ** 2))
        metadata = _metadata(rng, request, _WAITING.pick(rng))
        return {"scheduled_at": due, "metadata": metadata}

    def _finished(self, rng: Random, request: Request) -> Record:
        due, executed = self._times(rng, request.created)
        scheduled = {"scheduled_at": to_text(due) if due else None}
        if rng.random() < _FAILED:
            return {"status": "failed", **scheduled, **_failure(rng, request, to_text(executed))}
        return {
            "status": "completed",
            **scheduled,
            "executed_at": to_text(executed),
            "match_results": _match(rng, request),
            "metadata": _metadata(rng, request, "approved"),
        }

    def _times(self, rng: Random, created: int) -> tuple[int | None, int]:
        """Return when a request was due, within two weeks or at once (None), and when it was sent, by now."""
        now = self._seasons.now
        ready = created if rng.random() < 1 / 2 else created + int(min(14 * DAY_MS, now - created) * rng.random())
        executed = ready + int(min(2 * HOUR_MS, now - ready) * rng.random())
        return (ready if ready > created else None), executed


def _shares(rng: Random, count: int, among: int) -> list[int]:
    """Divide ``count`` among a few, unevenly."""
    shares = [0] * among
    for _ in range(count):
        shares[int(among * rng.random() ** 2)] += 1
    return shares


def _request(rng: Random, outline: Outline, platform: Platform, created: int, kind: str) -> Request:
    every = len(outline.sizes)
    segments = every if rng.random() < 2 / 3 else whole(rng, 1, every)
    records = min(outline.total, sum(outline.sizes[:segments]))
    if kind == "incremental":
        records = 0 if rng.random() < _UNCHANGED else int(records * 0.2 * rng.random())
    return Request(outline, platform, created, kind, segments, records)


def _match(rng: Random, request: Request) -> Record:
    usual = MATCH_RATES[request.platform.kind]
    matched = int(request.records * min(1.0, usual * (0.75 + 0.5 * rng.random())))
    return {
        "total_records": request.records,
        "matched_records": matched,
        "match_rate": round(matched / request.records, 4) if request.records else None,
        "platform_audience_id": f"{request.platform.kind}-{whole(rng, 100_000, 999_999)}",
    }


def _failure(rng: Random, request: Request, executed: str) -> Record:
    rejected = rng.random() < _REJECTED
    code = _FAILURE.pick(rng)
    code, message = names.REJECTED if rejected else (code, names.FAILURES[code])
    retries = 0 if rejected else whole(rng, 0, 5)
    return {
        "executed_at": None if rejected else executed,
        "error_details": {"error_code": code, "error_message": message, "retry_count": retries},
        "metadata": _metadata(rng, request, "rejected" if rejected else "approved"),
    }


def _metadata(rng: Random, request: Request, approval: str) -> Record:
    price = 0.5 + 3 * rng.random()
    return {
        "campaign_name": f"{pick(rng, names.CAMPAIGN_THEMES)} - {pick(rng, names.REGIONS)}",
        "cost_estimate": round(request.records / 1000 * price, 2),
        "approval_status": approval,
        "approved_by": pick(rng, names.APPROVERS) if approval == "approved" else None,
    }
