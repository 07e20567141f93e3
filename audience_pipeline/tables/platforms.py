"""The platforms table: where audiences are sent, with sealed credentials."""

from audience_pipeline.tables.declaration import Column, Format, Layout, Lift, Owner, Table
from audience_pipeline.tables.shapes import Credentials, PlatformSettings
from audience_pipeline.tables.types import LogicalType as T

PLATFORMS = Table(
    name="platforms",
    doc="Ad platforms a user distributes to: settings, sync state, and credentials sealed at rest.",
    key="platform_id",
    layout=Layout.USER,
    version="updated_at",
    cluster_by=("user_id", "platform_type"),
    columns=(
        Column("platform_id", T.STRING, "Identifies the platform.", required=True, format=Format.UUID),
        Column("user_id", T.STRING, "The tenant that owns the row.", required=True, immutable=True),
        Column(
            "platform_type",
            T.STRING,
            "the_trade_desk, google_ads, facebook, amazon_dsp, or another connector's name.",
            required=True,
            format=Format.SNAKE,
        ),
        Column("name", T.STRING, "What people call the platform.", required=True),
        Column("created_at", T.TIMESTAMP, "When it was set up.", required=True, immutable=True),
        Column("updated_at", T.TIMESTAMP, "When it last changed; the newer record wins.", required=True),
        Column("status", T.STRING, "Whether it may be used.", required=True, values=("active", "inactive")),
        Column(
            "credentials",
            T.JSON,
            "Account, and secrets in sealed format v1.",
            shape=Credentials,
            compared_by=("account_id", "fingerprint"),
            secret=True,
        ),
        Column("settings", T.JSON, "Match rate, refresh.", shape=PlatformSettings),
        Column("last_sync", T.TIMESTAMP, "When the engine last reached it.", owner=Owner.ENGINE),
        Column(
            "sync_status",
            T.STRING,
            "How that went.",
            values=("success", "failed", "pending"),
            owner=Owner.ENGINE,
            lift=Lift("credentials", "failed", "pending"),
        ),
    ),
)
