"""What the store says of well-formed records, in bulk, before they land.

Belongs here: the order of the questions: may this change what is stored, do its references exist, is there room in the
quota, is the key still free. Does not belong here: any of the answers. Accepted keys are reserved, so that another
landing cannot put them elsewhere.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from audience_pipeline.ingest.moments import month_of
from audience_pipeline.ingest.quotas import Insert, Quotas
from audience_pipeline.ingest.references import missing_references, reference_missing
from audience_pipeline.storage.contract import Placement, TableStore
from audience_pipeline.storage.refusals import immutable_problem
from audience_pipeline.tables import Problem, Table


@dataclass(slots=True)
class Verdicts:
    """Why rows are refused, by row index, and the tables whose missing records they wait for."""

    problems: dict[int, list[Problem]] = field(default_factory=dict)
    waiting_for: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def refuse(self, index: int, problem: Problem) -> None:
        """Add a reason to a row."""
        self.problems.setdefault(index, []).append(problem)


class Admission:
    """Judges the batches of one landing of ``table``, under the table's landing lock."""

    def __init__(self, store: TableStore, table: Table, now: datetime, wait_hours: int) -> None:
        self._store = store
        self._table = table
        self.now = now
        self._wait_hours = wait_hours
        self._quotas = Quotas(store, table, now)

    def judge(self, rows: pa.Table) -> Verdicts:
        """Judge ``rows`` (the table's columns), and reserve the keys of those that are accepted."""
        verdicts = Verdicts()
        if not rows.num_rows:
            return verdicts
        known = self._store.placements(self._table, rows.column(self._table.key).to_pylist())
        self._judge_changes(rows, known, verdicts)
        self._check_references(rows, verdicts)
        placed = _Rows.of(self._table, rows)
        inserts = [row for row in placed.indexes(verdicts) if placed.keys[row] not in known]
        limited = self._quotas.limited({placed.users[row] for row in inserts})
        with self._store.user_lock(*limited):
            for user_id in limited:
                self._refuse_exceeding(placed, [row for row in inserts if placed.users[row] == user_id], verdicts)
            self._reserve(placed, verdicts)
        return verdicts

    def _judge_changes(self, rows: pa.Table, known: Mapping[str, Placement], verdicts: Verdicts) -> None:
        """Ask the store about rows that it, or another row of the batch, may object to; a new key is nobody's yet."""
        keys = rows.column(self._table.key).to_pylist()
        times = Counter(keys)
        statuses = rows.column("status").to_pylist() if self._table.insert_statuses else [None] * len(keys)
        allowed = (None, *self._table.insert_statuses)
        asked = [
            index
            for index, (key, status) in enumerate(zip(keys, statuses, strict=True))
            if key in known or times[key] > 1 or status not in allowed
        ]
        if asked:
            answers = self._store.judge(self._table, rows.take(asked), canonical=True)
            for index, (_, problem) in zip(asked, answers, strict=True):
                if problem is not None:
                    verdicts.refuse(index, problem)

    def _check_references(self, rows: pa.Table, verdicts: Verdicts) -> None:
        for index, references in missing_references(self._store, self._table, rows).items():
            for reference in references:
                key = rows.column(reference.column)[index].as_py()
                verdicts.refuse(index, reference_missing(reference, key, self._wait_hours))
            if len(verdicts.problems[index]) == len(references):
                verdicts.waiting_for[index] = tuple(reference.table for reference in references)

    def _refuse_exceeding(self, placed: "_Rows", inserts: list[int], verdicts: Verdicts) -> None:
        """Refuse those of one user's ``inserts`` that the quota has no room for; versions of a record are one."""
        first = {placed.keys[row]: row for row in reversed(inserts)}
        refused = self._quotas.exceeding(placed.users[inserts[0]], [placed.insert(row) for row in first.values()])
        for row in inserts:
            if (problem := refused.get(first[placed.keys[row]])) is not None:
                verdicts.refuse(row, problem)

    def _reserve(self, placed: "_Rows", verdicts: Verdicts) -> None:
        """Reserve each key where its first row puts it; refuse rows of keys that live elsewhere by now."""
        kept = placed.indexes(verdicts)
        places = {placed.keys[row]: (placed.users[row], placed.months[row]) for row in reversed(kept)}
        elsewhere = self._store.reserve(self._table, places, self.now) if places else {}
        for row in kept if elsewhere else ():
            if (place := elsewhere.get(placed.keys[row])) is not None:
                verdicts.refuse(row, _moved(self._table, placed.insert(row), place))


@dataclass(frozen=True, slots=True)
class _Rows:
    """What places each row of a batch, column by column."""

    keys: list[str]
    users: list[str]
    created: list[datetime]
    months: list[int]
    statuses: list[str | None]

    @classmethod
    def of(cls, table: Table, rows: pa.Table) -> "_Rows":
        created = rows.column("created_at").to_pylist()
        return cls(
            rows.column(table.key).to_pylist(),
            rows.column("user_id").to_pylist(),
            created,
            [month_of(moment) for moment in created] if table.by_month else [0] * len(created),
            rows.column("status").to_pylist() if "status" in rows.column_names else [None] * len(created),
        )

    def indexes(self, verdicts: Verdicts) -> list[int]:
        """Return the rows that are not refused."""
        return [row for row in range(len(self.keys)) if row not in verdicts.problems]

    def insert(self, row: int) -> Insert:
        """Return what a quota asks of a row."""
        return Insert(row, self.keys[row], self.users[row], self.created[row], self.statuses[row])


def _moved(table: Table, row: Insert, place: Placement) -> Problem:
    if place.user_id != row.user_id:
        return immutable_problem(table, "user_id", row.user_id, place.user_id)
    month = f"a time in {place.month // 100}-{place.month % 100:02d}"
    return immutable_problem(table, "created_at", row.created_at, month)
