"""From one line to the values of one row, or every reason why not.

Belongs here: the verdict on a line, as far as it needs no store. Does not belong here: reading files, the store.

Most lines take the fast path: msgspec decodes into the declared types, in C. A line that it does not take, for any
reason, is judged by the thorough path, which alone may refuse. So the fast path needs to be right only when it accepts,
and it accepts exactly what the thorough path accepts with the same result (a property test holds it to that).
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from operator import itemgetter
from typing import Any, get_origin

import msgspec
from msgspec import UNSET

from audience_pipeline.ingest import reasons
from audience_pipeline.ingest.duplicates import repeats_a_key
from audience_pipeline.ingest.moments import millis
from audience_pipeline.ingest.parsing import LINE, NotJsonError, parse
from audience_pipeline.ingest.rules import Limits, Rules
from audience_pipeline.ingest.walking import problems_of
from audience_pipeline.ingest.wire import json_type, wire_type
from audience_pipeline.security.checking import check_sealed
from audience_pipeline.security.keyset import Keyset
from audience_pipeline.tables import Column, LogicalType, Problem, Table
from audience_pipeline.tables.canonical import canonical_bounded, canonical_json, encoded_json
from audience_pipeline.tables.settling import has_free_json, has_times
from audience_pipeline.tables.shapes import DistributionMetadata

MAX_REASONS = 100
_LONG_BYTES = 20_000


class RefusedRecordError(ValueError):
    """A line that is no acceptable record: every reason, and the JSON value if it is JSON at all."""

    def __init__(self, problems: Iterable[Problem], value: object = None) -> None:
        super().__init__()
        self.problems = tuple(islice(problems, MAX_REASONS))
        self.value = value


class Records:
    """Judges the lines of one table; ``keyset`` proves that secrets are sealed, and a table with secrets needs one."""

    def __init__(self, table: Table, limits: Limits, keyset: Keyset | None = None) -> None:
        self._table = table
        self.limits = limits
        self._rules = Rules(table, limits)
        self._bounded: msgspec.json.Decoder[Any] = msgspec.json.Decoder(wire_type(table, bounded=True))
        self._wire = wire_type(table, bounded=False)
        self._kind = msgspec.inspect.type_info(self._wire)
        self._times = tuple(column.name for column in table.of_type(LogicalType.TIMESTAMP))
        self._arrays = tuple(column.name for column in table.of_type(LogicalType.STRINGS))
        self._json = tuple(column.name for column in table.of_type(LogicalType.JSON))
        self._plain = itemgetter(*table.by_name.keys() - self._json)
        self._small = dict(_objects(table))
        self._keyset = keyset
        self._secrets = tuple(column.name for column in table.columns if column.secret)
        self._forces_approval = "metadata.approval_status" in _engine_members(table)
        self._free = {column.name: has_free_json(column.shape) for column in table.of_type(LogicalType.JSON)}
        self._changing = {
            column.name
            for column in table.of_type(LogicalType.JSON)
            if column.engine_members or has_times(column.shape)
        }

    def read(self, line: bytes, *, cut: bool = False) -> dict[str, Any]:
        """Return the row of ``line``: text, integers, milliseconds, lists of texts, canonical JSON texts.

        ``cut`` says that the file ended before the line did. Raises RefusedRecordError.
        """
        row = self._read_fast(line)
        return row if row is not None else self.read_thoroughly(line, cut=cut)

    def _read_fast(self, line: bytes) -> dict[str, Any] | None:
        """Return the row, or None where this path cannot vouch for the line."""
        if _is_unusual(line):
            return None
        try:
            record = self._bounded.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        values = msgspec.structs.asdict(record)
        absent = [name for name, value in values.items() if value is UNSET]
        values.update(dict.fromkeys(absent))
        encoded = {name: encoded_json(shape) for name in self._json if (shape := values[name]) is not None}
        if repeats_a_key(line, len(values) - len(absent) + self._colons(values, encoded)):
            return None
        for name, decoder in self._small.items():
            if name in encoded:
                values[name] = decoder.decode(encoded[name])
        if self._rules.refine(values) or self._broken(values):
            return None
        return self._row(values, encoded)

    def _colons(self, values: dict[str, Any], encoded: dict[str, bytes]) -> int:
        """Count the colons in values as they are written."""
        return encoded_json(self._plain(values)).count(b":") + sum(text.count(b":") for text in encoded.values())

    def read_thoroughly(self, line: bytes, *, cut: bool = False) -> dict[str, Any]:
        """Return the same as :meth:`read` without the fast path. Raises RefusedRecordError."""
        try:
            value = parse(line, cut=cut)
        except NotJsonError as error:
            raise RefusedRecordError([error.problem]) from None
        if not isinstance(value, dict):
            problem = reasons.wrong_type(LINE, f"JSON that is {_article(value)}", "one JSON object")
            raise RefusedRecordError([problem], value)
        values, problems = self._typed(value)
        problems += self._rules.refine(values)
        problems += self._broken(values)
        if problems:
            raise RefusedRecordError(problems, value)
        return self._row(values, None)

    def _broken(self, values: dict[str, Any]) -> list[Problem]:
        problems = self._rules.broken(values)
        for name in self._secrets:
            if values[name] is not None:
                problems += self._unsealed(values, msgspec.structs.asdict(values[name]))
        return problems

    def _unsealed(self, values: dict[str, Any], credentials: dict[str, Any]) -> list[Problem]:
        """Say why credentials may not be stored; without a legal owner there is nothing to hold them against."""
        if self._keyset is None:
            message = f"a keyset is needed to judge {self._table.name}"
            raise TypeError(message)
        user_id, platform_id = values["user_id"], values[self._table.key]
        if user_id is None or platform_id is None:
            return []
        return check_sealed(credentials, user_id=user_id, platform_id=platform_id, keyset=self._keyset)

    def _typed(self, value: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
        """Return the well-typed columns of ``value``, None for the others, and what is wrong with those."""
        problems = list(islice(problems_of(self._kind, value, ""), MAX_REASONS))
        wrong = {_column_of(problem.field) for problem in problems}
        values: dict[str, Any] = dict.fromkeys(self._table.by_name)
        for field in msgspec.structs.fields(self._wire):
            if value.get(field.name) is not None and field.name not in wrong:
                values[field.name] = msgspec.convert(value[field.name], field.type)
        return values, problems

    def _row(self, values: dict[str, Any], encoded: dict[str, bytes] | None) -> dict[str, Any]:
        """Bring accepted values, in place, to what a row holds; ``encoded`` are JSON columns of bounded types."""
        if self._forces_approval and values["status"] == "scheduled" and not self.limits.trust_landed_approval:
            _await_approval(values)
        for name in self._times:
            if (moment := values[name]) is not None:
                values[name] = millis(moment)
        for name in self._arrays:
            values[name] = values[name] or []
        for name in self._json:
            if (shape := values[name]) is None:
                continue
            if encoded is None or name in self._changing:
                values[name] = canonical_json(shape)
            else:
                known = encoded_json(shape) if name in self._small else encoded[name]
                values[name] = canonical_bounded(shape, known, free=self._free[name])
        return values


def _is_unusual(line: bytes) -> bool:
    """Return whether the limits that types do not check may be exceeded."""
    if len(line) > _LONG_BYTES and (len(line) > reasons.MAX_TEXT or line.count(b",") >= reasons.MAX_ITEMS):
        return True
    return b"\\" in line and b"\\u0000" in line


def _await_approval(values: dict[str, Any]) -> None:
    """Let only an approval approve: a new request is stored as pending, whatever it says."""
    metadata = values["metadata"] or DistributionMetadata()
    metadata.approval_status, metadata.approved_by = "pending", None
    values["metadata"] = metadata


def _objects(table: Table) -> "Iterator[tuple[str, msgspec.json.Decoder[Any]]]":
    """Yield JSON columns that are one object, with the decoder to which null and absent members are the same."""
    for column in table.of_type(LogicalType.JSON):
        if not _is_list(column):
            yield column.name, msgspec.json.Decoder(json_type(column, bounded=True))


def _is_list(column: Column) -> bool:
    return get_origin(column.shape) is list


def _engine_members(table: Table) -> set[str]:
    return {f"{column.name}.{member}" for column in table.columns for member in column.engine_members}


def _column_of(field: str) -> str:
    return field.partition(".")[0].partition("[")[0]


def _article(value: object) -> str:
    return reasons.shown(value) if isinstance(value, list | dict) else "a single value"
