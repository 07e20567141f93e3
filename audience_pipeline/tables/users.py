"""The users table: tenants, their permissions and their quotas."""

from audience_pipeline.tables.declaration import Column, Layout, Table
from audience_pipeline.tables.shapes import Quota
from audience_pipeline.tables.types import LogicalType as T

USERS = Table(
    name="users",
    doc="Tenants: who may do what, and how much they may store.",
    key="user_id",
    layout=Layout.USER,
    cluster_by=("user_id",),
    columns=(
        Column("user_id", T.STRING, "Identifies the tenant.", required=True),
        Column("email", T.STRING, "Where the tenant is reached."),
        Column("organization", T.STRING, "The tenant's organization."),
        Column("created_at", T.TIMESTAMP, "When the tenant was set up.", required=True, immutable=True),
        Column("last_login", T.TIMESTAMP, "When the tenant was last seen."),
        Column("permissions", T.STRINGS, "What the tenant may do."),
        Column("quota", T.JSON, "Limits, and their use so far.", shape=Quota, engine_members=("current_usage",)),
    ),
)
