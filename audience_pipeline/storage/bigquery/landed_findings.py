"""The landed tables held against the ledger: as many records of each file and month as it says, and no others.

Belongs here: the comparison. Does not belong here: what is in the records.
"""

from collections.abc import Iterator

from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.fragments import month_value
from audience_pipeline.storage.bigquery.ledger import Ledger
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.storage.contract import Finding
from audience_pipeline.tables import LANDED, SOURCES
from audience_pipeline.tables.landed import LINES_PER_FILE

Counts = dict[tuple[str, int, int], int]
"""Records by landed table, number of the file, and month."""


def landed_findings(warehouse: Warehouse) -> Iterator[Finding]:
    """Yield the files and months of which the landed tables have other numbers of records than the ledger."""
    stored, noted = _stored(warehouse), _noted(warehouse)
    for place in sorted(stored.keys() | noted.keys()):
        found, expected = stored.get(place, 0), noted.get(place, 0)
        if found != expected:
            name, number, month = place
            yield Finding(
                "landed records",
                f"{name}, file {number}, month {month}",
                found=f"{found} records",
                expected=f"{expected}, as the ledger says",
                remedy="Restore the table from a snapshot, or land the file's records again under another name.",
            )


def _stored(warehouse: Warehouse) -> Counts:
    lines = str(LINES_PER_FILE)
    texts = [
        statement("landed_counts", landed=each.name, month=month_value(each), lines_per_file=lines)
        for each in LANDED.values()
    ]
    text = "UNION ALL\n".join(texts)
    found = warehouse.run(text, object=f"dataset {warehouse.dataset}", operation="verify").arrow()
    return {(row["table_name"], row["number"], row["month"]): row["n"] for row in found.to_pylist()}


def _noted(warehouse: Warehouse) -> Counts:
    return {
        (LANDED[line.entry.table].name, line.entry.number, month): count
        for line in Ledger(warehouse).published(SOURCES)
        for month, count in line.months.items()
    }
