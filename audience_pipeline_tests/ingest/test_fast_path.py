"""The fast path accepts what the thorough path accepts, with the same row, and nothing else."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from audience_pipeline.ingest.records import Records, RefusedRecordError
from audience_pipeline.ingest.rules import Limits
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, USERS, Table
from audience_pipeline_tests.ingest.builders import NOW, audience, distribution, line, segment, user

LIMITS = Limits(NOW, 202401)
JUDGES = {table.name: Records(table, LIMITS) for table in (AUDIENCES, DISTRIBUTIONS, USERS)}

texts = st.text(max_size=6) | st.sampled_from(
    ["", ":", '":', "null", "a\0b", "é", "\U0001f389", "2025-05-03T10:20:30Z"]
)
numbers = (
    st.integers(-(2**65), 2**65)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0, 1, 5.0, -0.0, 1e22, 2**63 - 1, 2**63, 1.5, 100])
)
free = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
times = st.sampled_from(
    [
        "2025-05-03T10:20:59.9999999Z",
        "2025-05-03T10:20:30+05:30",
        "2025-05-03T10:20:30.1234567-0800",
        "2025-05-03t10:20:30z",
        "2025-05-03 10:20",
        "20250503T102030Z",
        "2025-05-03",
        "2025-05-03T24:00:00Z",
        "2025-13-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "2031-01-01T00:00:00Z",
    ]
)


def paths(value: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where each value inside ``value`` stands."""
    inner: Mapping[Any, Any] = {}
    if isinstance(value, dict):
        inner = value
    elif isinstance(value, list):
        inner = dict(enumerate(value))
    return [at, *(path for name, each in inner.items() for path in paths(each, (*at, name)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return ``value`` with what stands at ``path`` replaced."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


VALID = {
    AUDIENCES.name: audience(
        segments=[segment(size_percentage=40, prizm_segments=["04"]), segment(characteristics=None)],
        description=None,
        original_query='say ":null" to \\ and "é"',
    ),
    DISTRIBUTIONS.name: distribution(
        scheduled_at=None,
        status="completed",
        segments_distributed=["s1"],
        match_results={"total_records": 10, "matched_records": 5, "match_rate": 0.5},
        error_details={"error_code": None},
        metadata={"cost_estimate": 5, "approval_status": "approved", "updated_at": "2025-06-01T00:00:00.9999Z"},
    ),
    USERS.name: user(permissions=["read"], quota={"max_audiences": 3, "current_usage": {"a": [1, 2.0]}}),
}


@st.composite
def lines(draw: st.DrawFn) -> tuple[str, bytes]:
    """Draw a table and a line: a record with a value or two replaced, in one of the ways JSON can be written."""
    table = draw(st.sampled_from(sorted(VALID)))
    record: Any = VALID[table]
    for _ in range(draw(st.integers(0, 2))):
        path = draw(st.sampled_from(paths(record)[1:] or [()]))
        record = replaced(record, path, draw(free | times))
    ascii_only, separators = draw(st.booleans()), draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :\r")]))
    text = json.dumps(record, ensure_ascii=ascii_only, separators=separators)
    if draw(st.booleans()):
        text = _with_repeated_member(draw, text)
    return table, text.encode()


def _with_repeated_member(draw: st.DrawFn, text: str) -> str:
    """Put a second member of a name that is there already, or is not, at the start of an object."""
    starts = [place for place, character in enumerate(text) if character == "{"]
    if not starts:
        return text
    place = draw(st.sampled_from(starts)) + 1
    name = draw(st.sampled_from(["name", "n\\u0061me", "size", "segment_id", "age", "status", "max_audiences"]))
    value = draw(st.sampled_from(["null", '"x"', "1", '"a\\u003ab"']))
    separator = "" if text[place : place + 1] == "}" else ","
    return f'{text[:place]}"{name}":{value}{separator}{text[place:]}'


def verdict(records: Records, raw: bytes) -> object:
    try:
        return records.read_thoroughly(raw)
    except RefusedRecordError as error:
        return error.problems


@settings(max_examples=600)
@given(lines())
@example((AUDIENCES.name, line(VALID[AUDIENCES.name])))
@example((DISTRIBUTIONS.name, line(VALID[DISTRIBUTIONS.name])))
def test_what_the_fast_path_accepts_is_accepted_with_the_same_row(drawn: tuple[str, bytes]) -> None:
    table, raw = drawn
    records = JUDGES[table]
    row = records._read_fast(raw)
    thorough = verdict(records, raw)
    assert row is None or row == thorough
    assert thorough or isinstance(thorough, dict), "a refusal has a reason"


@pytest.mark.parametrize("table", [AUDIENCES, DISTRIBUTIONS, USERS], ids=lambda table: table.name)
def test_an_ordinary_record_takes_the_fast_path(table: Table) -> None:
    raw = line(VALID[table.name])
    assert JUDGES[table.name]._read_fast(raw) == JUDGES[table.name].read_thoroughly(raw)


def test_every_form_of_the_same_record_gives_the_same_row() -> None:
    record = VALID[AUDIENCES.name]
    forms = [
        json.dumps(record).encode(),
        json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\r",
        json.dumps(dict(reversed(record.items())), indent=None).encode(),
        json.dumps(
            {**record, "audience_id": record["audience_id"].upper(), "metadata": {"notes": None, "tags": ["a"]}}
        ).encode(),
        json.dumps({**record, "created_at": "2025-05-03T15:50:30.4569999+05:30"}).encode(),
    ]
    rows = [JUDGES[AUDIENCES.name].read(form) for form in forms]
    assert all(row == rows[0] for row in rows)


def test_times_are_cut_to_milliseconds_and_not_rounded() -> None:
    row = JUDGES[USERS.name].read(line(user(created_at="2025-01-01T00:00:59.9999999Z")))
    assert row["created_at"] == 1735689659999
