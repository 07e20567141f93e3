"""The nested JSON entities as typed shapes.

Belongs here: one msgspec struct a nested object of the requirement, with the members the engine adds in a subclass.
Does not belong here: rules over several members (they sit with their table) and anything about storage.

A member that is null is absent: structs leave defaults out when they are encoded, so both have the same canonical
bytes. ``Free`` marks JSON the requirement leaves open.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Size = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Rate = Annotated[float, Meta(ge=0, le=1)]
Percentage = Annotated[float, Meta(ge=0, le=100)]
Amount = Annotated[float, Meta(ge=0)]
Text = Annotated[str, Meta(max_length=1_000_000)]
Code = Annotated[str, Meta(min_length=1, max_length=1_000)]
Free = Any


class Shape(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Base of all shapes: unknown members are refused by name, null and absent are one."""


class VariableDetail(Shape):
    """One variable an audience was built from."""

    code: Code
    description: Text | None = None
    relevance_score: Rate | None = None
    type: Text | None = None


class Segment(Shape):
    """One segment of an audience: an aggregate, never a list of people."""

    segment_id: Code
    name: Code
    size: Size
    size_percentage: Percentage | None = None
    characteristics: Free = None
    prizm_segments: list[Text] | None = None


class AudienceMetadata(Shape):
    """What the application wants to remember of an audience."""

    tags: list[Text] | None = None
    campaign_id: Text | None = None
    notes: Text | None = None


class Credentials(Shape):
    """A platform's credentials in sealed format v1: ``api_key`` and ``additional_config`` are sealed texts."""

    encrypted: Literal[True]
    account_id: Text | None = None
    api_key: Text | None = None
    additional_config: Text | None = None
    fingerprint: Text | None = None


class PlatformSettings(Shape):
    """How a platform is used."""

    default_match_rate: Rate | None = None
    auto_refresh: bool | None = None
    refresh_frequency: Literal["daily", "weekly", "monthly"] | None = None


class MatchResults(Shape):
    """What a platform reported of a distribution."""

    total_records: Size | None = None
    matched_records: Size | None = None
    match_rate: Rate | None = None
    platform_audience_id: Text | None = None


class SentSegment(Shape):
    """One segment as it was sent: enough to tell later whether its content changed."""

    segment_id: Code
    size: Size
    digest: Code


class EngineMatchResults(MatchResults):
    """Match results as the engine records them: with their basis, their time, their bounds and what was sent.

    ``sent`` is what the platform has of the audience once it took this distribution: of an incremental one, also the
    segments that were sent before and did not change. ``total_size`` is the members of all segments asked for, as they
    were then; ``full_at`` is when all of it was sent last. ``outcome`` is delivered, partial (some segments were
    refused), nothing_changed or withdrawn.
    """

    basis: Literal["reported", "reported_range", "reach_estimate", "simulated"] | None = None
    as_of: datetime | None = None
    match_rate_lower: Rate | None = None
    match_rate_upper: Rate | None = None
    sent: list[SentSegment] | None = None
    total_size: Size | None = None
    full_at: datetime | None = None
    outcome: Text | None = None


class ErrorDetails(Shape):
    """Why a distribution failed."""

    error_code: Text | None = None
    error_message: Text | None = None
    retry_count: Size | None = None


class Transition(Shape):
    """The last thing that happened to a distribution, as its event in the journal tells it."""

    at: datetime
    from_status: Code
    to_status: Code
    actor: Code
    reason: Code
    evidence: Free = None


class Attempt(Shape):
    """The attempt under way, or the last one.

    ``number`` counts from 1 and never falls. ``generation`` is part of the idempotency key: only an operator's retry of
    what the platform is known not to have, or of what is sent again on purpose, raises it. ``token`` says whose the
    attempt is until ``lease_until``. ``digest`` is that of the payload, ``reference`` the platform's name for the
    submission, ``polls`` how often the platform was asked about it.
    """

    number: Size = 0
    generation: Size = 0
    token: Code | None = None
    began_at: datetime | None = None
    lease_until: datetime | None = None
    digest: Code | None = None
    reference: Text | None = None
    submitted_at: datetime | None = None
    polls: Size = 0
    last: Transition | None = None


class EngineErrorDetails(ErrorDetails):
    """Error details as the engine keeps them.

    ``hold`` says why a scheduled distribution is not sent. ``next_attempt_at`` is when it may be tried again, or the
    platform asked what became of it. ``look_again_at`` puts off only who runs unattended: of what is held, when that is
    examined again; of what ended, when the journal is completed.
    """

    hold: Text | None = None
    next_attempt_at: datetime | None = None
    look_again_at: datetime | None = None
    attempt: Attempt | None = None


class DistributionMetadata(Shape):
    """What the application says of a distribution; ``updated_at`` is its version, when given."""

    campaign_name: Text | None = None
    cost_estimate: Amount | None = None
    approval_status: Literal["pending", "approved", "rejected"] | None = None
    approved_by: Text | None = None
    updated_at: datetime | None = None


class EngineDistributionMetadata(DistributionMetadata):
    """Distribution metadata with the approval's full record."""

    approval_at: datetime | None = None
    approval_expires_at: datetime | None = None
    approval_reason: Text | None = None
    approval_digest: Text | None = None
    approval_standing: bool | None = None
    approval_standing_digest: Text | None = None
    approval_verified: bool | None = None


class Quota(Shape):
    """How much a user may store; a limit that is absent is no limit."""

    max_audiences: Size | None = None
    max_distributions_per_month: Size | None = None
    current_usage: Free = None


def utc_millis(moment: datetime) -> datetime:
    """Return ``moment`` in UTC, cut to milliseconds; a moment without an offset is taken as UTC."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.replace(microsecond=aware.microsecond // 1000 * 1000)
