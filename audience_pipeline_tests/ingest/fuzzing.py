"""Lines made from good ones by accident and by malice, and what must be true of any that is accepted.

The oracle shares no code with what it judges: it reads with Python's own JSON parser, and knows tables by their
declared columns only.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from random import Random
from typing import Any

from audience_pipeline.tables import LogicalType, Table
from audience_pipeline_tests.ingest.builders import Record

PLANTED = "anna.berg@example.com"
"""Personal data: an audience may have it nowhere but in the name of its tenant."""
PLAIN = "canary in plain text"
"""A secret that nobody sealed."""
_VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, 1e308, 2**63, -(2**63) - 1, "", " ", "null", "\0", "\U0001f389", [], {}, [[]], [{}],
    {"": None}, "2025-02-30T00:00:00Z", "2025-06-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "active", "../../etc",
    "x" * 300, PLANTED, f"ask {PLANTED} about it", [PLANTED], {PLANTED: 1}, {"a": {"b": [f"<{PLANTED}>"]}},
    "v1.00000000.AAAA", {"api_key": PLAIN}, {"encrypted": True}, {"encrypted": True, "api_key": PLAIN},
]  # fmt: skip
_TOKENS = [
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"null", b"NaN", b"-Infinity", b"1e999", b"\\u0000", b"\\ud800",
    b"\xff", b"\xef\xbb\xbf", b"\0", b"\n", b"[" * 300,
    b'"user_id":"other",', f'"credentials":{{"api_key":"{PLAIN}"}},'.encode(), b'"n\\u0061me":1,',
]  # fmt: skip


def mutated(record: Record, others: list[bytes], chance: Random) -> bytes:
    """Return a line like that of ``record``, changed once or a few times, in its values or in its bytes."""
    value: Any = record
    for _ in range(chance.choice((0, 1, 1, 2))):
        value = _changed(value, chance)
    line = json.dumps(value, ensure_ascii=chance.random() < 0.5).encode()
    for _ in range(chance.choice((0, 0, 1, 1, 3))):
        line = chance.choice(_BYTES)(line, others, chance)
    return line


def _changed(value: Any, chance: Random) -> Any:  # noqa: ANN401 - any JSON value
    """Replace, remove, rename or repeat something, at any depth."""
    if isinstance(value, dict) and value:
        name = chance.choice(list(value))
        if chance.random() < 0.7:
            return {**value, name: _changed(value[name], chance)}
        rest = {key: each for key, each in value.items() if key != name}
        return chance.choice(
            (rest, rest | {name + "x": value[name]}, value | {chance.choice(list(value)): value[name]})
        )
    if isinstance(value, list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        return [*value[:place], _changed(value[place], chance), *value[place + chance.randrange(2) :]]
    return (
        value[: chance.randrange(len(value))]
        if isinstance(value, str) and value and chance.random() < 0.2
        else chance.choice(_VALUES)
    )


def _flip(line: bytes, _: list[bytes], chance: Random) -> bytes:
    place = chance.randrange(len(line) or 1)
    return line[:place] + bytes([chance.randrange(256)]) + line[place + 1 :]


def _cut(line: bytes, _: list[bytes], chance: Random) -> bytes:
    first, last = sorted(chance.randrange(len(line) + 1) for _ in range(2))
    return line[:first] + line[last:]


def _repeat(line: bytes, _: list[bytes], chance: Random) -> bytes:
    first, last = sorted(chance.randrange(len(line) + 1) for _ in range(2))
    return line[:last] + line[first:]


def _insert(line: bytes, _: list[bytes], chance: Random) -> bytes:
    place = chance.randrange(len(line) + 1)
    return line[:place] + chance.choice(_TOKENS) + line[place:]


def _splice(line: bytes, others: list[bytes], chance: Random) -> bytes:
    other = chance.choice(others)
    return line[: chance.randrange(len(line) + 1)] + other[chance.randrange(len(other)) :]


_BYTES: tuple[Callable[[bytes, list[bytes], Random], bytes], ...] = (_flip, _cut, _repeat, _insert, _splice)


def complaints(table: Table, line: bytes, row: Mapping[str, Any]) -> list[str]:
    """Return why a line should not have been accepted as ``row``, none if it should."""
    try:
        record = json.loads(line.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except ValueError as error:
        return [f"no JSON: {error}"]
    if not isinstance(record, dict):
        return ["no object"]
    found = [f"undeclared {name}" for name in record.keys() - table.by_name.keys()]
    found += [
        f"without {column.name}" for column in table.columns if column.required and record.get(column.name) is None
    ]
    for name in record.keys() & table.by_name.keys():
        if (value := record[name]) is not None and not _fits(table, name, value, row[name]):
            found.append(f"{name} is {value!r}, taken as {row[name]!r}")
    return found


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in members]
    if len(set(names)) < len(names):
        message = "a repeated member"
        raise ValueError(message)
    return dict(members)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _fits(table: Table, name: str, value: Any, taken: Any) -> bool:  # noqa: ANN401 - any JSON value
    column = table.by_name[name]
    if column.type is LogicalType.STRING:
        return (
            isinstance(value, str) and (not column.values or value in column.values) and taken in {value, value.lower()}
        )
    if column.type is LogicalType.INT64:
        return (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and taken == value
            and taken >= (column.minimum or taken)
        )
    if column.type is LogicalType.TIMESTAMP:
        return isinstance(value, str) and abs(datetime.fromisoformat(value.upper()).timestamp() * 1000 - taken) < 1
    if column.type is LogicalType.STRINGS:
        return isinstance(value, list) and taken == value and all(isinstance(each, str) for each in value)
    return isinstance(value, dict | list) and (isinstance(taken, str) or (taken is None and _says_nothing(value)))


def _says_nothing(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Return whether an object has no member that is not null, at any depth, and so may be kept as null."""
    return isinstance(value, dict) and all(each is None or _says_nothing(each) for each in value.values())


def texts(value: Any) -> Iterable[str]:  # noqa: ANN401 - any JSON value
    """Yield every text in a value, names of members too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
