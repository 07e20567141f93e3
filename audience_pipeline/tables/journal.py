"""Append-only journals: what happened to each distribution, and who did what."""

from audience_pipeline.tables.declaration import Column, Format, Layout, Owner, Table
from audience_pipeline.tables.distributions import STATUSES
from audience_pipeline.tables.shapes import Free
from audience_pipeline.tables.types import LogicalType as T

_ENGINE = Owner.ENGINE

DISTRIBUTION_EVENTS = Table(
    name="distribution_events",
    doc="Each transition and attempt of a distribution, filed under the event's own month.",
    key="event_id",
    layout=Layout.USER,
    by_month=True,
    cluster_by=("user_id", "distribution_id"),
    columns=(
        Column("event_id", T.STRING, "Derived from distribution, attempt, from, to.", required=True, owner=_ENGINE),
        Column("distribution_id", T.STRING, "What it happened to.", required=True, format=Format.UUID, owner=_ENGINE),
        Column("user_id", T.STRING, "The tenant that owns the row.", required=True, immutable=True, owner=_ENGINE),
        Column("created_at", T.TIMESTAMP, "When it happened.", required=True, immutable=True, owner=_ENGINE),
        Column("from_status", T.STRING, "Status before.", values=STATUSES, owner=_ENGINE),
        Column("to_status", T.STRING, "Status after.", values=STATUSES, owner=_ENGINE),
        Column("attempt", T.INT64, "Which attempt, from 1.", minimum=0, owner=_ENGINE),
        Column("actor", T.STRING, "Who or what did it.", required=True, owner=_ENGINE),
        Column("reason", T.STRING, "Why.", owner=_ENGINE),
        Column("evidence", T.JSON, "What the platform said, redacted.", shape=Free, owner=_ENGINE),
    ),
)

LOGGED = (
    "created_at",
    "user_id",
    "distribution_id",
    "audience_id",
    "platform_id",
    "distribution_type",
    "from_status",
    "to_status",
    "attempt",
    "actor",
    "reason",
    "evidence",
)
"""The columns of the view ``delivery_log``: an event, and what its distribution sends where."""
LOG_DOC = "What happened to each distribution, archived ones too: an event a row, with what was sent where."

AUDIT_LOG = Table(
    name="audit_log",
    doc="Who approved, delivered, rotated, restored, exported and opened a tenant session.",
    key="audit_id",
    layout=Layout.USER,
    by_month=True,
    cluster_by=("user_id", "action"),
    columns=(
        Column("audit_id", T.STRING, "Identifies the entry.", required=True, format=Format.UUID, owner=_ENGINE),
        Column("user_id", T.STRING, "The tenant concerned.", required=True, immutable=True, owner=_ENGINE),
        Column("created_at", T.TIMESTAMP, "When it was done.", required=True, immutable=True, owner=_ENGINE),
        Column("action", T.STRING, "What was done.", required=True, owner=_ENGINE),
        Column("actor", T.STRING, "Who did it.", required=True, owner=_ENGINE),
        Column("object", T.STRING, "To what.", owner=_ENGINE),
        Column("details", T.JSON, "What else is to know, redacted.", shape=Free, owner=_ENGINE),
    ),
)
