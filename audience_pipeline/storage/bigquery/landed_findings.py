"""The landed tables held against the ledger: as many records of each file and month as it says, and no others.

Belongs here: the comparison. Does not belong here: what is in the records.
"""

from collections.abc import Iterator

from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.fragments import month_value
from audience_pipeline.storage.bigquery.ledger import Ledger
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.storage.contract import Finding
from audience_pipeline.tables import LANDED, SOURCES, Table
from audience_pipeline.tables.landed import LINES_PER_FILE

Counts = dict[tuple[int, int], int]


def landed_findings(warehouse: Warehouse) -> Iterator[Finding]:
    """Yield the files and months of which the landed tables have other numbers of records than the ledger."""
    for table in SOURCES:
        stored, noted = _stored(warehouse, LANDED[table.name]), _noted(warehouse, table)
        for number, month in sorted(stored.keys() | noted.keys()):
            found, expected = stored.get((number, month), 0), noted.get((number, month), 0)
            if found != expected:
                yield Finding(
                    "landed records",
                    f"{LANDED[table.name].name}, file {number}, month {month}",
                    found=f"{found} records",
                    expected=f"{expected}, as the ledger says",
                    remedy="Restore the table from a snapshot, or land the file's records again under another name.",
                )


def _stored(warehouse: Warehouse, landed: Table) -> Counts:
    text = statement("landed_counts", landed=landed.name, month=month_value(landed), lines_per_file=str(LINES_PER_FILE))
    found = warehouse.run(text, object=f"table {landed.name}", operation="verify").arrow()
    return {(row["number"], row["month"]): row["n"] for row in found.to_pylist()}


def _noted(warehouse: Warehouse, table: Table) -> Counts:
    lines = Ledger(warehouse).published(table)
    return {(line.entry.number, month): count for line in lines for month, count in line.months.items()}
