"""Which tenant a person or program that signs in to BigQuery acts for.

Belongs here: the declaration of the table that row access policies ask. Does not belong here: the policies, or tenants
themselves. Files need no such table: there a session is opened for a tenant by whoever runs the program.
"""

from audience_pipeline.tables.declaration import Column, Layout, Owner, Table
from audience_pipeline.tables.types import LogicalType as T

TENANT_PRINCIPALS = Table(
    name="tenant_principals",
    doc="The one tenant whose rows a principal sees; a principal that is not here sees none.",
    key="principal",
    layout=Layout.STATE,
    columns=(
        Column(
            "principal",
            T.STRING,
            "E-mail address of a person or service account, as SESSION_USER() gives it.",
            required=True,
            owner=Owner.ENGINE,
        ),
        Column("user_id", T.STRING, "The tenant.", required=True, owner=Owner.ENGINE),
    ),
)
