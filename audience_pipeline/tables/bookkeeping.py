"""The bookkeeping of a store that many machines share: which keys there are, what landed, and who holds what.

Belongs here: the declarations of these tables, which are kept in BigQuery beside the tables they are about (the Parquet
store keeps the same in a file of its own). Does not belong here: statements on them.

Each has one row that is none: the *fence*, whose key is empty, or 0. Who inserts into one of these tables also updates
its fence, in one transaction. BigQuery lets inserts of two transactions pass each other, but not updates of one row, so
two writers can't both find a key absent and insert it.
"""

from audience_pipeline.tables.declaration import Column, Layout, Owner, Table
from audience_pipeline.tables.shapes import Free
from audience_pipeline.tables.types import LogicalType as T

_ENGINE = Owner.ENGINE
FENCE = "fence"
ACCEPTED = "accepted"
PLACED = "placed"
ARCHIVED = "archived"


def keys_of(table: Table) -> Table:
    """Return the declaration of the key index of ``table``, which covers its archive, too."""
    return Table(
        name=f"keys_{table.name}",
        doc=f"Where each key of {table.name} lives, and what decides whether a record is newer than its row.",
        key="key",
        layout=Layout.STATE,
        cluster_by=("key",),
        columns=(
            Column("key", T.STRING, f"The row's {table.key}; empty in the fence.", required=True, owner=_ENGINE),
            Column("user_id", T.STRING, "The tenant that owns the row.", required=True, owner=_ENGINE),
            Column("month", T.INT64, "Month of the row as yyyymm; 0 without months.", required=True, owner=_ENGINE),
            Column(
                "phase",
                T.STRING,
                "Accepted by landing and in no table yet, placed in the table, or archived.",
                required=True,
                values=(FENCE, ACCEPTED, PLACED, ARCHIVED),
                owner=_ENGINE,
            ),
            Column(
                "position",
                T.INT64,
                "Newest landed position of the content the row has; in the fence the number of the last direct write.",
                required=True,
                owner=_ENGINE,
            ),
            Column("accepted_month", T.INT64, "UTC month it was first accepted in.", required=True, owner=_ENGINE),
            Column("digest", T.STRING, "SHA-256 of what the application owns of the row.", owner=_ENGINE),
            Column("version", T.TIMESTAMP, "The row's version, if it has one.", owner=_ENGINE),
        ),
    )


LEDGER = Table(
    name="ledger",
    doc="The landed files: their numbers order them among all; their content digests identify them.",
    key="number",
    layout=Layout.STATE,
    columns=(
        Column("number", T.INT64, "The file's number; 0 in the fence.", required=True, owner=_ENGINE),
        Column("source", T.STRING, "The table the file's records are of.", required=True, owner=_ENGINE),
        Column("digest", T.STRING, "SHA-256 of its content.", required=True, owner=_ENGINE),
        Column("name", T.STRING, "Its name.", required=True, owner=_ENGINE),
        Column(
            "status",
            T.STRING,
            "How far it has come.",
            required=True,
            values=(FENCE, "open", "landed", "folded"),
            owner=_ENGINE,
        ),
        Column("revision", T.INT64, "How often the row changed.", required=True, owner=_ENGINE),
        Column("counts", T.JSON, "What became of its records.", shape=Free, owner=_ENGINE),
        Column("months", T.JSON, "Its accepted records by month.", shape=Free, owner=_ENGINE),
        Column("folded_months", T.STRINGS, "Its months that were folded, until all are.", owner=_ENGINE),
    ),
)

LEASES = Table(
    name="leases",
    doc="Who holds a user's quota or a table's landing, and until when.",
    key="name",
    layout=Layout.STATE,
    columns=(
        Column("name", T.STRING, "What is held; empty in the fence.", required=True, owner=_ENGINE),
        Column("holder", T.STRING, "Who holds it.", required=True, owner=_ENGINE),
        Column("expires_at", T.TIMESTAMP, "When it is free again unless renewed.", required=True, owner=_ENGINE),
    ),
)
