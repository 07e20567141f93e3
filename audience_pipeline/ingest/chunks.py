"""One block of lines judged: accepted rows as a table, refused lines with their reasons.

Belongs here: the step from lines to columns. It runs in worker processes too, so it imports neither polars nor DuckDB.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from audience_pipeline.ingest import reasons
from audience_pipeline.ingest.lines import HEAD_BYTES, Block, LongLine
from audience_pipeline.ingest.parsing import LINE
from audience_pipeline.ingest.pii.judging import Judge
from audience_pipeline.ingest.pii.suspecting import suspects
from audience_pipeline.ingest.records import MAX_REASONS, Records, RefusedRecordError
from audience_pipeline.ingest.secrets import keepable, keepable_head
from audience_pipeline.tables import Problem, Table
from audience_pipeline.tables.arrow import TYPES

LINE_NUMBER = "_line"
_ROWS_AT_ONCE = 200
"""Rows kept as Python objects: few enough for the processor's cache, where the next ones take their memory again."""
Reasons = tuple[tuple[Problem, ...], tuple[str, ...]]
"""Why the store refuses a record, and the tables whose missing records it waits for."""


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A refused line: where it stood, the SHA-256 of its bytes, why, and what may be kept of it.

    ``record`` is the line itself, or None where keeping it would keep a secret or a person's data, or fill the disk.
    Then ``head`` has its first bytes where those are harmless, or the record with kinds in place of personal values.
    ``waiting_for`` names the tables whose missing records it refers to.
    """

    number: int
    offset: int
    length: int
    digest: str
    problems: tuple[Problem, ...]
    record: bytes | None = None
    head: bytes = b""
    waiting_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """What became of one block: the lines read, the accepted rows, their lines, and the refused lines.

    ``rows`` has the table's columns and ``_line``, the number of the line a row came from.
    """

    read: int
    rows: pa.Table
    refused: list[RefusedLine] = field(default_factory=list)


class Chunks:
    """Turns the blocks of one table into chunks."""

    def __init__(self, table: Table, records: Records) -> None:
        self.table = table
        self._records = records
        self._pii = Judge(table, records.limits.personal_allowed)
        columns = [pa.field(column.name, _RAW.get(TYPES[column.type], TYPES[column.type])) for column in table.columns]
        self._raw = pa.schema([*columns, pa.field(LINE_NUMBER, pa.int64())])
        self.schema = pa.schema(
            [*(pa.field(column.name, TYPES[column.type]) for column in table.columns), self._raw.field(LINE_NUMBER)]
        )

    def judge(self, block: Block) -> Chunk:
        """Judge each line of ``block``; empty ones count for nothing."""
        pieces: list[pa.Table] = []
        rows: list[dict[str, Any]] = []
        refused: list[RefusedLine] = []
        for number, offset, line, cut in _lines(block):
            if len(rows) == _ROWS_AT_ONCE:
                pieces.append(self._columns(rows))
                rows.clear()
            try:
                row = self._records.read(line, cut=cut) if len(line) <= reasons.MAX_LINE_BYTES else None
            except RefusedRecordError as error:
                refused.append(self._refused(number, offset, line, error))
                continue
            if row is None:
                refused.append(self._too_long(number, offset, line))
            else:
                row[LINE_NUMBER] = number
                rows.append(row)
        accepted = pa.concat_tables([*pieces, self._columns(rows)]).combine_chunks()
        personal = self._personal(block, accepted)
        if personal:
            known = pa.array([line.number for line in personal], pa.int64())
            accepted = accepted.filter(pc.invert(pc.is_in(accepted.column(LINE_NUMBER), known)))
            refused = sorted([*refused, *personal], key=lambda line: line.number)
        return Chunk(accepted.num_rows + len(refused), accepted, refused)

    def passed_over(self, line: LongLine) -> RefusedLine:
        """Refuse a line that was streamed past."""
        problem = Problem(
            LINE,
            "line_too_long",
            f"a line of {line.length:,} bytes",
            f"at most {reasons.MAX_LINE_BYTES:,} bytes",
            "Split the record, or send aggregates; the line itself was not kept.",
        )
        head = keepable_head(self.table, line.head)
        if self._pii.looks and self._pii.kinds(head.decode(errors="replace")):
            head = b""
        return RefusedLine(line.number, line.offset, line.length, line.digest, (problem,), head=head)

    def _too_long(self, number: int, offset: int, line: bytes) -> RefusedLine:
        """Refuse a line that is longer than allowed, though it was read as a whole."""
        line = line.rstrip(b"\r")
        digest = hashlib.sha256(line).hexdigest()
        return self.passed_over(LongLine(number, offset, len(line), digest, line[:HEAD_BYTES]))

    def _personal(self, block: Block, accepted: pa.Table) -> list[RefusedLine]:
        """Refuse the lines of accepted rows that have personal data."""
        doubtful = set(
            accepted.column(LINE_NUMBER).take(pa.array(suspects(self.table, accepted), pa.int64())).to_pylist()
        )
        if not doubtful:
            return []
        found = []
        for number, offset, line, _ in _lines(block):
            if number in doubtful:
                found.append(self._withheld(number, offset, line, (), msgspec.json.decode(line)))
        return [each for each in found if each is not None]

    def _refused(self, number: int, offset: int, line: bytes, error: RefusedRecordError) -> RefusedLine:
        """Refuse a line for all its reasons; what it has of a person is neither kept nor shown."""
        problems = error.problems
        if self._pii.looks:
            problems = tuple(map(self._pii.shown, problems))
            if withheld := self._withheld(number, offset, line, problems, error.value):
                return withheld
        line = line.rstrip(b"\r")
        digest = hashlib.sha256(line).hexdigest()
        return RefusedLine(number, offset, len(line), digest, problems, keepable(self.table, line, error.value))

    def _withheld(
        self, number: int, offset: int, line: bytes, problems: tuple[Problem, ...], value: object
    ) -> RefusedLine | None:
        """Refuse a line for its personal data too, if it has any; ``value`` is its JSON value, None if it is no JSON.

        Its record is left with kinds in place of what was personal, where it may not hold a secret besides.
        """
        kept, personal = self._pii.record(line.decode(errors="replace") if value is None else value)
        if not personal:
            return None
        line = line.rstrip(b"\r")
        head = msgspec.json.encode(kept) if keepable(self.table, line, value) is not None else b""
        digest = hashlib.sha256(line).hexdigest()
        return RefusedLine(number, offset, len(line), digest, (*problems, *personal)[:MAX_REASONS], head=head)

    def _columns(self, rows: list[dict[str, Any]]) -> pa.Table:
        columns = [pa.array([row[each.name] for row in rows], each.type) for each in self._raw]
        return pa.Table.from_arrays(columns, schema=self._raw).cast(self.schema)


_RAW = {pa.timestamp("ms"): pa.int64()}


def _lines(block: Block) -> Iterator[tuple[int, int, bytes, bool]]:
    """Yield number, offset, bytes and whether it is cut, of each line that is not empty."""
    offset = block.offset
    lines = block.data.split(b"\n")
    for index, line in enumerate(lines):
        if line and not line.isspace():
            yield block.first + index, offset, line, block.cut and index == len(lines) - 1
        offset += len(line) + 1


def refuse(block: Block, reasons: Mapping[int, Reasons]) -> Iterator[RefusedLine]:
    """Refuse lines of ``block``, by number, for what the store says of their records, which are well formed."""
    for number, offset, line, _ in _lines(block):
        if number in reasons:
            problems, waiting_for = reasons[number]
            record = line.rstrip(b"\r")
            digest = hashlib.sha256(record).hexdigest()
            yield RefusedLine(number, offset, len(record), digest, problems, record, b"", waiting_for)
