"""One text for one value, one digest for one content."""

import json
import math
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audience_pipeline.tables import AUDIENCES, DISTRIBUTION_EVENTS, DISTRIBUTIONS, PLATFORMS
from audience_pipeline.tables.arrow import arrow_schema
from audience_pipeline.tables.canonical import (
    application_digests,
    canonical_json,
    canonical_text,
    comparable,
    content_digest,
    merged_members,
)

SEGMENTS = AUDIENCES.by_name["segments"]
METADATA = DISTRIBUTIONS.by_name["metadata"]
CREDENTIALS = PLATFORMS.by_name["credentials"]

free = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


def segments(characteristics: object) -> str:
    return json.dumps([{"segment_id": "s", "name": "n", "size": 5, "characteristics": characteristics}])


@pytest.mark.parametrize(
    "text",
    [
        '[{"size":5,"name":"n","segment_id":"s","size_percentage":5}]',
        '[{"name":"n","segment_id":"s","size":5,"size_percentage":5.0,"prizm_segments":null}]',
    ],
)
def test_texts_of_one_value_have_one_canonical_text(text: str) -> None:
    assert canonical_text(SEGMENTS, text) == '[{"name":"n","segment_id":"s","size":5,"size_percentage":5.0}]'


def test_times_are_in_utc_and_cut_to_milliseconds() -> None:
    text = '{"cost_estimate":1.50,"updated_at":"2025-05-01T02:00:00.1239+02:00"}'
    assert canonical_text(METADATA, text) == '{"cost_estimate":1.5,"updated_at":"2025-05-01T00:00:00.123000Z"}'


def test_an_object_without_members_is_null_and_an_empty_array_is_not() -> None:
    assert canonical_text(METADATA, "{}") is None
    assert canonical_text(METADATA, '{"campaign_name":null}') is None
    assert canonical_text(SEGMENTS, "[]") == "[]"
    assert canonical_text(SEGMENTS, None) is None


@given(free)
def test_canonical_text_says_the_same_and_stays_as_it_is(value: object) -> None:
    text = canonical_text(SEGMENTS, segments(value))
    assert text is not None
    assert canonical_text(SEGMENTS, text) == text
    assert json.loads(text) == json.loads(segments(value))[:1] or value is None
    assert canonical_json(json.loads(segments(value))) == _with_null(text, value)


def _with_null(text: str, value: object) -> str:
    """Return the text as free JSON has it, which keeps a null."""
    return text if value is not None else '[{"characteristics":null,' + text[2:]


@given(free)
def test_doubles_without_a_fraction_are_integers_in_free_json(value: object) -> None:
    def check(inner: Any) -> None:  # noqa: ANN401 - any JSON value
        if isinstance(inner, float):
            assert not inner.is_integer() or abs(inner) > 2**53
        for each in inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else ():
            check(each)

    text = canonical_text(SEGMENTS, segments({"x": value}))
    assert text is not None
    check(json.loads(text)[0]["characteristics"])


@pytest.mark.parametrize("number", ["9223372036854775808", "-9223372036854775809", "1" * 400])
def test_integers_beyond_64_bits_have_no_canonical_text(number: str) -> None:
    with pytest.raises(OverflowError):
        canonical_text(SEGMENTS, segments(0).replace("0", number, 1))


def test_values_that_are_no_json_have_no_canonical_text() -> None:
    with pytest.raises(OverflowError):
        canonical_json({"x": math.inf})
    deep: object = 1
    for _ in range(101):
        deep = [deep]
    with pytest.raises(RecursionError):
        canonical_json(deep)
    with pytest.raises(msgspec.ValidationError):
        canonical_text(METADATA, '{"campaign":"x"}')


def test_content_is_compared_by_what_the_application_owns() -> None:
    assert comparable(METADATA, '{"approval_status":"approved","cost_estimate":5.0}') == '{"cost_estimate":5.0}'
    assert comparable(METADATA, '{"approval_status":"approved"}') is None
    assert comparable(CREDENTIALS, '{"api_key":"v1.x","encrypted":true,"fingerprint":"f"}') == '{"fingerprint":"f"}'
    assert comparable(SEGMENTS, "[]") == "[]"


def test_the_engines_members_come_from_the_base() -> None:
    base = '{"approval_status":"approved","cost_estimate":1.0}'
    assert merged_members(METADATA, '{"approval_status":"pending","cost_estimate":2.0}', base) == (
        '{"approval_status":"approved","cost_estimate":2.0}'
    )
    assert merged_members(METADATA, None, base) == '{"approval_status":"approved"}'
    assert merged_members(METADATA, '{"approval_status":"pending"}', None) is None


def rows(*values: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(values), schema=arrow_schema(AUDIENCES))


def test_an_absent_array_is_an_empty_one() -> None:
    absent, empty = {"audience_id": "a"}, {"audience_id": "a", "selected_variables": []}
    assert len(set(application_digests(AUDIENCES, rows(absent, empty)))) == 1
    assert content_digest(AUDIENCES, rows(absent)) == content_digest(AUDIENCES, rows(empty))


def test_rows_of_which_the_application_owns_nothing_are_alike_for_it() -> None:
    events = pa.Table.from_pylist([{"event_id": "a"}, {"event_id": "b"}], schema=arrow_schema(DISTRIBUTION_EVENTS))
    digests = application_digests(DISTRIBUTION_EVENTS, events)
    assert (len(digests), len(set(digests))) == (2, 1)


def test_a_content_digest_knows_no_order_and_misses_no_difference() -> None:
    one, two = {"audience_id": "a", "name": "x"}, {"audience_id": "b", "name": "y"}
    assert content_digest(AUDIENCES, rows(one, two)) == content_digest(AUDIENCES, rows(two, one))
    assert content_digest(AUDIENCES, rows(one, two)) != content_digest(AUDIENCES, rows(one, {**two, "name": "z"}))
    assert content_digest(AUDIENCES, rows(one)) != content_digest(AUDIENCES, rows(one, one))
