"""The distributions table: audience segments sent, or to be sent, to a platform; and its archive."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from audience_pipeline.tables.declaration import Agenda, Column, Format, Layout, Owner, Problem, Reference, Table
from audience_pipeline.tables.shapes import (
    DistributionMetadata,
    EngineDistributionMetadata,
    EngineErrorDetails,
    EngineMatchResults,
    ErrorDetails,
    MatchResults,
)
from audience_pipeline.tables.types import LogicalType as T

_RATE_TOLERANCE = 0.005
STATUSES = ("scheduled", "processing", "completed", "failed")


_OUTCOME = ("executed_at", "match_results", "error_details")


def _check(record: dict[str, Any]) -> list[Problem]:
    return [*_premature(record), *_inconsistent(record)]


def _premature(record: dict[str, Any]) -> Iterator[Problem]:
    """Refuse an outcome of what has not been sent; it is the record's alone to say, whatever is stored."""
    for name in _OUTCOME:
        if record["status"] == "scheduled" and (value := record[name]) is not None:
            found = f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else "an outcome"
            remedy = f"Leave {name} out: the engine writes it. What was sent elsewhere lands as completed or failed."
            yield Problem(name, "engine_owned", found, "null while scheduled", remedy)


def _inconsistent(record: dict[str, Any]) -> list[Problem]:
    """Hold the match rate against the counts it is made of."""
    results = record["match_results"]
    if results is None:
        return []
    total, matched, rate = results.total_records, results.matched_records, results.match_rate
    problems = []
    if total is not None and matched is not None and matched > total:
        problems.append(_problem("matched_records", str(matched), f"at most total_records ({total})"))
    elif rate is not None and total == 0:
        problems.append(_problem("match_rate", f"{rate:g}", "null, since total_records is 0"))
    elif None not in (rate, matched) and total and abs(rate - matched / total) > _RATE_TOLERANCE:
        expected = f"within {_RATE_TOLERANCE} of matched_records / total_records = {matched / total:.4f}"
        problems.append(_problem("match_rate", f"{rate:g}", expected))
    return problems


def _problem(member: str, found: str, expected: str) -> Problem:
    remedy = "Send the numbers the platform reported, or leave the derived one out."
    return Problem(f"match_results.{member}", "inconsistent", found, expected, remedy)


DISTRIBUTIONS = Table(
    name="distributions",
    doc="Audience segments sent, or to be sent, to a platform, with the outcome on record.",
    key="distribution_id",
    layout=Layout.USER,
    by_month=True,
    version="metadata.updated_at",
    cluster_by=("user_id", "audience_id", "status"),
    references=(Reference("audience_id", "audiences"), Reference("platform_id", "platforms")),
    open_status="scheduled",
    insert_statuses=("scheduled", "completed", "failed"),
    archive="distributions_archive",
    agenda=Agenda(
        open=("scheduled", "processing"),
        due=("scheduled_at", "error_details.next_attempt_at"),
        later="error_details.look_again_at",
    ),
    check=_check,
    columns=(
        Column("distribution_id", T.STRING, "Identifies the distribution.", required=True, format=Format.UUID),
        Column("user_id", T.STRING, "The tenant that owns the row.", required=True, immutable=True),
        Column("audience_id", T.STRING, "What is sent.", required=True, format=Format.UUID, immutable=True),
        Column("platform_id", T.STRING, "Where it is sent.", required=True, format=Format.UUID, immutable=True),
        Column("created_at", T.TIMESTAMP, "When it was asked for; decides its month.", required=True, immutable=True),
        Column("scheduled_at", T.TIMESTAMP, "When it is due; null is at once."),
        Column("executed_at", T.TIMESTAMP, "When it was sent.", owner=Owner.ENGINE),
        Column("status", T.STRING, "Where it is in its life.", required=True, values=STATUSES, owner=Owner.ENGINE),
        Column("distribution_type", T.STRING, "How much is sent.", values=("initial", "refresh", "incremental")),
        Column("segments_distributed", T.STRINGS, "Ids of the segments sent."),
        Column(
            "match_results",
            T.JSON,
            "What the platform reported.",
            shape=MatchResults,
            stored_shape=EngineMatchResults,
            owner=Owner.ENGINE,
        ),
        Column(
            "error_details",
            T.JSON,
            "Why it failed or is held.",
            shape=ErrorDetails,
            stored_shape=EngineErrorDetails,
            owner=Owner.ENGINE,
        ),
        Column(
            "metadata",
            T.JSON,
            "Campaign, cost estimate, approval.",
            shape=DistributionMetadata,
            stored_shape=EngineDistributionMetadata,
            engine_members=(
                "approval_status",
                "approved_by",
                "approval_at",
                "approval_expires_at",
                "approval_reason",
                "approval_digest",
                "approval_standing",
                "approval_standing_digest",
                "approval_verified",
            ),
        ),
    ),
)

DISTRIBUTIONS_ARCHIVE = DISTRIBUTIONS.extended(
    "distributions_archive",
    "Distributions that ended more than 90 days ago, kept readable beside the live table.",
    Column("archived_at", T.TIMESTAMP, "When the row was archived.", required=True, owner=Owner.ENGINE),
    archive=None,
    agenda=None,
    open_status=None,
    compact=True,
    check=None,
)
