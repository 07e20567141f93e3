"""The audiences table: definitions with their variables and segments, kept for ever."""

from typing import Any

from audience_pipeline.tables.declaration import Column, Format, Layout, Problem, Table
from audience_pipeline.tables.shapes import AudienceMetadata, Segment, VariableDetail
from audience_pipeline.tables.types import LogicalType as T

_TOLERANCE_POINTS = 0.5


def _check(record: dict[str, Any]) -> list[Problem]:
    """Hold each segment against the audience's total; segments may overlap, so their sum is free."""
    total = record.get("total_audience_size")
    if total is None:
        return []
    problems = []
    for index, segment in enumerate(record.get("segments") or ()):
        where = f"segments[{index}]"
        if segment.size > total:
            problems.append(_too_large(where, segment.size, total))
        elif (share := segment.size_percentage) is not None and total:
            actual = 100 * segment.size / total
            if abs(share - actual) > _TOLERANCE_POINTS:
                problems.append(_wrong_share(where, share, actual))
    return problems


def _too_large(where: str, size: int, total: int) -> Problem:
    return Problem(
        field=f"{where}.size",
        code="larger_than_total",
        found=str(size),
        expected=f"at most total_audience_size ({total})",
        remedy="Correct the segment's size or the audience's total.",
    )


def _wrong_share(where: str, share: float, actual: float) -> Problem:
    return Problem(
        field=f"{where}.size_percentage",
        code="inconsistent",
        found=f"{share:g}",
        expected=f"within {_TOLERANCE_POINTS} of size / total_audience_size = {actual:.2f}",
        remedy="Recompute the percentage (0-100) or leave it out.",
    )


AUDIENCES = Table(
    name="audiences",
    doc="Audience definitions: the variables and segments a user built, with aggregate sizes only.",
    key="audience_id",
    layout=Layout.USER,
    by_month=True,
    version="updated_at",
    cluster_by=("user_id", "status"),
    check=_check,
    columns=(
        Column("audience_id", T.STRING, "Identifies the audience.", required=True, format=Format.UUID),
        Column("user_id", T.STRING, "The tenant that owns the row.", required=True, immutable=True),
        Column("name", T.STRING, "What people call the audience.", required=True, impersonal=True),
        Column("description", T.STRING, "What the audience is for.", impersonal=True),
        Column("created_at", T.TIMESTAMP, "When it was created; decides its month.", required=True, immutable=True),
        Column("updated_at", T.TIMESTAMP, "When it last changed; the newer record wins.", required=True),
        Column("status", T.STRING, "Where it is in its life.", required=True, values=("draft", "active", "archived")),
        Column(
            "data_type",
            T.STRING,
            "Where its data comes from.",
            required=True,
            values=("first_party", "third_party", "clean_room"),
        ),
        Column("original_query", T.STRING, "The request the audience was built from.", impersonal=True),
        Column("selected_variables", T.STRINGS, "Codes of the variables chosen.", impersonal=True),
        Column("variable_details", T.JSON, "The variables in full.", shape=list[VariableDetail], impersonal=True),
        Column("segments", T.JSON, "The segments, with PRIZM codes and sizes.", shape=list[Segment], impersonal=True),
        Column("total_audience_size", T.INT64, "People or households in all.", minimum=0),
        Column("metadata", T.JSON, "Tags, campaign, notes.", shape=AudienceMetadata, impersonal=True),
    ),
)
