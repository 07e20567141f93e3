"""All tables, each declared once; everything else about them is derived."""

from audience_pipeline.tables.audiences import AUDIENCES
from audience_pipeline.tables.bookkeeping import LEASES, LEDGER, keys_of
from audience_pipeline.tables.declaration import Column, Format, Layout, Owner, Problem, Reference, Table
from audience_pipeline.tables.distributions import DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE
from audience_pipeline.tables.journal import AUDIT_LOG, DISTRIBUTION_EVENTS
from audience_pipeline.tables.landed import LANDED_COLUMNS, POSITION, SOURCES, landed
from audience_pipeline.tables.manifest import ARCHIVE_MANIFEST
from audience_pipeline.tables.platforms import PLATFORMS
from audience_pipeline.tables.principals import TENANT_PRINCIPALS
from audience_pipeline.tables.types import LogicalType
from audience_pipeline.tables.users import USERS
from audience_pipeline.tables.written import WRITTEN_MONTHS

STORED: tuple[Table, ...] = (
    USERS,
    AUDIENCES,
    PLATFORMS,
    DISTRIBUTIONS,
    DISTRIBUTION_EVENTS,
    DISTRIBUTIONS_ARCHIVE,
    ARCHIVE_MANIFEST,
    AUDIT_LOG,
)
"""The tables a store keeps, one row a key."""

LANDED: dict[str, Table] = {table.name: landed(table) for table in SOURCES}
"""The landed table of each source, by the source's name."""

TABLES: dict[str, Table] = {table.name: table for table in (*STORED, *LANDED.values())}
"""Every declared table by name."""

KEYS: dict[str, Table] = {table.name: keys_of(table) for table in STORED if table is not DISTRIBUTIONS_ARCHIVE}
"""The key index of each table that has one, by the table's name; an archive's keys stand in its live table's."""

BOOKKEEPING: tuple[Table, ...] = (*KEYS.values(), LEDGER, LEASES)
"""The tables a store keeps in BigQuery for itself; no view, asset or document shows them."""

__all__ = [
    "ARCHIVE_MANIFEST",
    "AUDIENCES",
    "AUDIT_LOG",
    "BOOKKEEPING",
    "DISTRIBUTIONS",
    "DISTRIBUTIONS_ARCHIVE",
    "DISTRIBUTION_EVENTS",
    "KEYS",
    "LANDED",
    "LANDED_COLUMNS",
    "LEASES",
    "LEDGER",
    "PLATFORMS",
    "POSITION",
    "SOURCES",
    "STORED",
    "TABLES",
    "TENANT_PRINCIPALS",
    "USERS",
    "WRITTEN_MONTHS",
    "Column",
    "Format",
    "Layout",
    "LogicalType",
    "Owner",
    "Problem",
    "Reference",
    "Table",
    "landed",
]
