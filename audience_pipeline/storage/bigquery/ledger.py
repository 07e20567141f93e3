"""The ledger of landed files, shared by all machines.

Belongs here: numbering files, and how far each has come. Does not belong here: their records.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audience_pipeline.errors import ConflictError
from audience_pipeline.storage.bigquery.attempts import until_not_overtaken
from audience_pipeline.storage.bigquery.client import Result, Warehouse
from audience_pipeline.storage.bigquery.rules import next_number
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.storage.ledger import LedgerEntry
from audience_pipeline.tables import LEDGER, Table


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the ledger: an entry, and what only the store knows of it.

    ``months`` are the accepted records by month, ``folded`` the months that were folded while others were not,
    ``revision`` tells one state of the row from the next.
    """

    entry: LedgerEntry
    months: Mapping[int, int]
    folded: frozenset[int]
    revision: int


class Ledger:
    """The ledger of one dataset."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def open_file(self, table: Table, digest: str, name: str) -> Line:
        """Return the line of a content, made if it is new."""
        parameters = {"source": table.name, "digest": digest}
        text = statement("open_file", ledger=LEDGER.name, next_number=next_number(table))
        until_not_overtaken(lambda _: self._run(text, {**parameters, "name": name}))
        (line,) = self._lines("source = @source AND digest = @digest", parameters)
        return line

    def of_status(self, table: Table, status: str) -> list[Line]:
        """Return the lines of a table's files that have come so far and no further, oldest first."""
        return self._lines("source = @source AND status = @status", {"source": table.name, "status": status})

    def published(self, tables: Sequence[Table]) -> list[Line]:
        """Return the lines of tables' files whose records were published, oldest first."""
        return self._lines("source IN UNNEST(@sources) AND status != 'open'", {"sources": [t.name for t in tables]})

    def of_tables(self, names: Sequence[str]) -> list[Line]:
        """Return all lines of tables, oldest first."""
        return self._lines("source IN UNNEST(@sources)", {"sources": list(names)})

    def of_numbers(self, numbers: Sequence[int]) -> list[Line]:
        """Return the lines of the numbers there are, oldest first."""
        return self._lines("number IN UNNEST(@numbers)", {"numbers": list(numbers)}) if numbers else []

    def mark_folded(self, number: int, counts: Mapping[str, int], months: tuple[int, int] | None) -> None:
        """Note that the records of an entry, or those of some months, were upserted."""
        until_not_overtaken(lambda _: self._mark_folded(number, counts, months))

    def _mark_folded(self, number: int, counts: Mapping[str, int], months: tuple[int, int] | None) -> None:
        (line,) = self.of_numbers([number])
        noted = _with_folded(line, counts, months)
        if noted is None:
            return
        text = statement("mark_folded", ledger=LEDGER.name)
        if not self._run(text, {"number": number, "revision": line.revision, **noted}).affected:
            raise ConflictError(
                object=f"file {line.entry.name}",
                found="a ledger entry that somebody else changed",
                expected="one that stays while it is changed",
                remedy="Run again.",
            )

    def _lines(self, conditions: str, parameters: Mapping[str, Any]) -> list[Line]:
        text = statement("ledger_entries", ledger=LEDGER.name, conditions=conditions)
        return [_line(row) for row in self._run(text, parameters).arrow().to_pylist()]

    def _run(self, text: str, parameters: Mapping[str, Any]) -> Result:
        return self._warehouse.run(text, parameters, object=f"table {LEDGER.name}", operation="ledger")


def _line(row: Mapping[str, Any]) -> Line:
    entry = LedgerEntry(
        row["number"], row["source"], row["digest"], row["name"], row["status"], json.loads(row["counts"])
    )
    months = {int(month): count for month, count in json.loads(row["months"]).items()}
    return Line(entry, months, frozenset(map(int, row["folded_months"])), row["revision"])


def _with_folded(line: Line, counts: Mapping[str, int], months: tuple[int, int] | None) -> dict[str, Any] | None:
    """Return what the ledger says once some months were folded, None where it says so already."""
    known = line.entry.counts
    if months is None:
        return {"status": "folded", "counts": json.dumps({**known, **counts}), "folded_months": []}
    fresh = {month for month in line.months if months[0] <= month <= months[1]} - line.folded
    if not fresh or line.entry.status == "folded":
        return None
    total = {**known, **{name: known.get(name, 0) + count for name, count in counts.items()}}
    folded = line.folded | fresh
    done = folded == line.months.keys()
    return {
        "status": "folded" if done else line.entry.status,
        "counts": json.dumps(total),
        "folded_months": [] if done else [str(month) for month in sorted(folded)],
    }
