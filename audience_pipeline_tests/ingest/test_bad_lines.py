"""Each kind of bad line is refused with its reason, is kept in quarantine, and stops nothing else."""

import hashlib
from typing import Any

import pytest

from audience_pipeline_tests.ingest.builders import audience, distribution, line, platform, segment, user
from audience_pipeline_tests.ingest.conftest import Place

GOOD = audience(9)


def edited(old: bytes, new: bytes, **changes: Any) -> bytes:  # noqa: ANN401 - any member's value
    """Return the line of an audience with some of its bytes replaced."""
    whole = line(audience(**changes))
    assert whole.count(old) == 1
    return whole.replace(old, new)


def deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


NAME = b'"audience 1"'
BAD_LINES = {
    "invalid UTF-8": (edited(NAME, b'"\xff\xfe"'), "invalid_utf8", "line"),
    "a byte order mark inside": (b"\xef\xbb\xbf" + line(audience()), "byte_order_mark", "line"),
    "NaN": (edited(b"0.5", b"NaN"), "not_a_number", "line"),
    "Infinity": (edited(b"0.5", b"-Infinity"), "not_a_number", "line"),
    "a duplicate key": (edited(b'"name":' + NAME, b'"name":"x","name":"y"'), "duplicate_key", "line"),
    "a duplicate key inside": (edited(b'"size":40', b'"size":40,"size":41'), "duplicate_key", "line"),
    "a duplicate key whose first value is null": (
        edited(b'"size":40', b'"size":null,"size":40'),
        "duplicate_key",
        "line",
    ),
    "a key repeated in another spelling": (
        edited(b'"size":40', b'"size":40,"s\\u0069ze" : 40'),
        "duplicate_key",
        "line",
    ),
    "a lone surrogate": (edited(NAME, b'"\\ud800"'), "lone_surrogate", "line"),
    "a NUL byte": (edited(NAME, b'"a\x00b"'), "control_character", "line"),
    "an escaped NUL": (edited(NAME, b'"a\\u0000b"'), "nul_character", "name"),
    "an escaped NUL in free JSON": (edited(b"25-44", b"\\u0000"), "nul_character", "segments[0].characteristics.age"),
    "no JSON": (b"name,size", "invalid_json", "line"),
    "two records on a line": (line(audience()) + line(audience()), "invalid_json", "line"),
    "an array": (b"[]", "wrong_type", "line"),
    "5,000 levels": (edited(b'"25-44"', b"[" * 5000 + b"]" * 5000), "too_deep", "line"),
    "150 levels": (line(audience(segments=[segment(characteristics=deep(150))])), "too_deep", None),
    "a number as text": (edited(b'"size":40', b'"size":"40"'), "wrong_type", "segments[0].size"),
    "a number as text at the top": (line(audience(total_audience_size="100")), "wrong_type", "total_audience_size"),
    "an integer of 2^63": (edited(b'"size":40', b'"size":9223372036854775808'), "out_of_range", "segments[0].size"),
    "an integer of 2^63 in free JSON": (
        edited(b'"25-44"', b"9223372036854775808"),
        "out_of_range",
        "segments[0].characteristics.age",
    ),
    "a number beyond doubles": (edited(b"0.5", b"1e400"), "out_of_range", "variable_details[0].relevance_score"),
    "a fraction for an integer": (edited(b'"size":40', b'"size":40.5'), "wrong_type", "segments[0].size"),
    "a negative size": (line(audience(total_audience_size=-1)), "out_of_range", "total_audience_size"),
    "true for a number": (edited(b'"size":40', b'"size":true'), "wrong_type", "segments[0].size"),
    "a text of 10 MB": (line(audience(name="x" * 10_000_000)), "too_long", "name"),
    "100,000 segments": (line(audience(segments=[segment()] * 100_000)), "too_many_items", "segments"),
    "an unknown field": (line(audience(nmae="x")), "unknown_field", "nmae"),
    "an unknown field inside": (line(audience(segments=[segment(sise=1)])), "unknown_field", "segments[0].sise"),
    "a missing field": (line({k: v for k, v in audience().items() if k != "name"}), "missing", "name"),
    "null in a required field": (line(audience(name=None)), "missing", "name"),
    "a missing field inside": (
        line(audience(segments=[{"name": "x", "size": 1}])),
        "missing",
        "segments[0].segment_id",
    ),
    "null among texts": (line(audience(selected_variables=["a", None])), "wrong_type", "selected_variables[1]"),
    "no UUID": (line(audience(audience_id="17")), "malformed", "audience_id"),
    "a status of its own": (line(audience(status="live")), "not_allowed", "status"),
    "no time": (line(audience(updated_at="yesterday")), "malformed", "updated_at"),
    "a number for a time": (line(audience(updated_at=1746267630)), "wrong_type", "updated_at"),
    "an update before creation": (line(audience(updated_at="2025-05-03T10:20:30.455Z")), "inconsistent", "updated_at"),
    "a time ahead": (line(audience(updated_at="2025-08-01T12:05:01Z")), "in_future", "updated_at"),
    "a month before the first": (
        line(audience(created_at="2023-12-31T23:59:59.999Z")),
        "before_first_month",
        "created_at",
    ),
    "an empty user": (line(audience(user_id="")), "illegal_user_id", "user_id"),
    "the user Hive takes for null": (
        line(audience(user_id="__HIVE_DEFAULT_PARTITION__")),
        "illegal_user_id",
        "user_id",
    ),
    "a user too long for a directory": (line(audience(user_id="é" * 41)), "illegal_user_id", "user_id"),
    "a segment above the total": (
        line(audience(segments=[segment(size=101)])),
        "larger_than_total",
        "segments[0].size",
    ),
    "a wrong percentage": (
        line(audience(segments=[segment(size_percentage=40.6)])),
        "inconsistent",
        "segments[0].size_percentage",
    ),
    "a percentage above 100": (
        line(audience(segments=[segment(size_percentage=100.5)])),
        "out_of_range",
        "segments[0].size_percentage",
    ),
    "a share above 1": (
        line(audience(variable_details=[{"code": "V", "relevance_score": 1.01}])),
        "out_of_range",
        "variable_details[0].relevance_score",
    ),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_line_is_refused_with_its_reason_and_kept(place: Place, case: str) -> None:
    bad, code, field = BAD_LINES[case]
    report = place.ingest("audiences", [GOOD, bad])
    assert (report.read, report.inserted, report.rejected, report.errors) == (2, 1, 1, [])
    (entry,) = place.entries()
    assert (entry.line, place.kept(entry), entry.digest) == (2, bad, hashlib.sha256(bad).hexdigest())
    (problem,) = entry.problems
    assert problem.code == code
    assert field is None or problem.field == field
    assert problem.found
    assert problem.expected
    assert problem.remedy
    assert len(problem.found) < 150


OTHER_TABLES = {
    "a camel case type": ("platforms", platform(platform_type="GoogleAds"), "malformed", "platform_type"),
    "a rate against its counts": (
        "distributions",
        distribution(
            status="completed", match_results={"total_records": 100, "matched_records": 50, "match_rate": 0.6}
        ),
        "inconsistent",
        "match_results.match_rate",
    ),
    "a rate of nothing": (
        "distributions",
        distribution(status="completed", match_results={"total_records": 0, "match_rate": 0.0}),
        "inconsistent",
        "match_results.match_rate",
    ),
    "a schedule three years ahead": (
        "distributions",
        distribution(scheduled_at="2028-08-01T00:00:00Z"),
        "in_future",
        "scheduled_at",
    ),
    "a version ahead": (
        "distributions",
        distribution(metadata={"updated_at": "2026-01-01T00:00:00Z"}),
        "in_future",
        "metadata.updated_at",
    ),
    "a distribution that is processing": ("distributions", distribution(status="processing"), "engine_owned", "status"),
    "a negative quota": ("users", user(quota={"max_audiences": -1}), "out_of_range", "quota.max_audiences"),
}


@pytest.mark.parametrize("case", OTHER_TABLES)
def test_rules_of_the_other_tables_hold_too(place: Place, case: str) -> None:
    table, record, code, field = OTHER_TABLES[case]
    place.ingest("audiences", [audience()])
    place.ingest("platforms", [platform()])
    assert place.ingest(table, [record]).rejected == 1
    assert [(each.code, each.field) for each in place.entries()[-1].problems] == [(code, field)]


def test_every_reason_is_given_at_once(place: Place) -> None:
    bad = audience(audience_id="x", status="live", total_audience_size=1.5, created_at="soon", segments=[{"size": -1}])
    place.ingest("audiences", [bad])
    (entry,) = place.entries()
    assert {problem.field for problem in entry.problems} == {
        "audience_id",
        "status",
        "total_audience_size",
        "created_at",
        "segments[0].segment_id",
        "segments[0].name",
        "segments[0].size",
    }


def test_reasons_of_a_hopeless_record_are_cut_to_a_readable_number(place: Place) -> None:
    place.ingest("audiences", [audience(segments=[{}] * 5_000)])
    assert len(place.entries()[0].problems) == 100


def test_a_line_above_the_limit_is_streamed_past_and_only_its_head_is_kept(place: Place) -> None:
    huge = line(audience(name="x" * (40 * 2**20)))
    report = place.ingest("audiences", [audience(1), huge, audience(2)])
    assert (report.read, report.inserted, report.rejected) == (3, 2, 1)
    (entry,) = place.entries()
    assert (entry.line, entry.length, entry.digest) == (2, len(huge), hashlib.sha256(huge).hexdigest())
    assert not entry.retryable
    assert place.landing.quarantine.content(entry) == (None, huge[:4096])
    assert [problem.code for problem in entry.problems] == ["line_too_long"]
    assert place.directory.joinpath("quarantine", "quarantine.sqlite").stat().st_size < 2**20
