"""The landed tables: accepted records as they came, append-only, with the place they landed at.

A landed table has its table's columns plus four. ``landed_position`` orders records for all time: the number the ledger
gave the file, times 2**32, plus the record's line; the store uses it where records carry no version.
"""

from audience_pipeline.tables.audiences import AUDIENCES
from audience_pipeline.tables.declaration import Column, Layout, Owner, Table
from audience_pipeline.tables.distributions import DISTRIBUTIONS
from audience_pipeline.tables.platforms import PLATFORMS
from audience_pipeline.tables.types import LogicalType as T
from audience_pipeline.tables.users import USERS

POSITION = "landed_position"
LINES_PER_FILE = 2**32

LANDED_COLUMNS = (
    Column(POSITION, T.INT64, "Ledger number of the file and line in it.", required=True, owner=Owner.ENGINE),
    Column("landed_at", T.TIMESTAMP, "When the record was accepted.", required=True, owner=Owner.ENGINE),
    Column("landed_file", T.STRING, "Name of the file it came in.", required=True, owner=Owner.ENGINE),
    Column("landed_digest", T.STRING, "SHA-256 of that file's content.", required=True, owner=Owner.ENGINE),
)

SOURCES: tuple[Table, ...] = (USERS, AUDIENCES, PLATFORMS, DISTRIBUTIONS)
"""The tables that can be landed, in the order a batch is taken: referenced ones first."""


def landed(table: Table) -> Table:
    """Return the declaration of the landed table of ``table``."""
    doc = f"Accepted {table.name} records as they landed, append-only; folding them gives {table.name}."
    return table.extended(f"landed_{table.name}", doc, *LANDED_COLUMNS, layout=Layout.LANDED, check=None)
