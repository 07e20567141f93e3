"""Which months of users' own tables were written.

Belongs here: the declaration of the table that BigQuery needs for it. Files need none: there an empty month is a file.
"""

from audience_pipeline.tables.declaration import Column, Layout, Owner, Table
from audience_pipeline.tables.types import LogicalType as T

WRITTEN_MONTHS = Table(
    name="written_months",
    doc="The months of users' own tables that were written, some of them without a row.",
    key="part",
    layout=Layout.STATE,
    cluster_by=("name",),
    columns=(
        Column("part", T.STRING, "Table and month, such as sizes/202505.", required=True, owner=Owner.ENGINE),
        Column("name", T.STRING, "The table.", required=True, owner=Owner.ENGINE),
        Column("month", T.INT64, "The month as yyyymm.", required=True, owner=Owner.ENGINE),
    ),
)
