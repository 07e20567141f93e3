"""Audiences with personal data are refused by field and kind, and what was personal is written nowhere."""

from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from audience_pipeline.errors import SettingsError
from audience_pipeline.ingest.pii.judging import Judge
from audience_pipeline.ingest.pii.suspecting import suspects
from audience_pipeline.settings import load_settings
from audience_pipeline.tables import AUDIENCES
from audience_pipeline.tables.arrow import arrow_schema
from audience_pipeline.tables.canonical import canonical_json
from audience_pipeline_tests.ingest.builders import Record, audience, distribution, line, platform, segment, user, uuid
from audience_pipeline_tests.ingest.conftest import Place
from audience_pipeline_tests.ingest.personal_cases import Case, cases
from audience_pipeline_tests.ingest.personal_page import false_positives, recall, verdicts

MAIL = "jane.doe@example.com"
ALL = Judge(AUDIENCES, frozenset())


def written(place: Place) -> bytes:
    """Return all bytes the installation has written; what was sent is somewhere else."""
    kept = (place.settings.data_dir, place.settings.quarantine_dir)
    return b"".join(path.read_bytes() for directory in kept for path in directory.rglob("*") if path.is_file())


def reasons(place: Place, *records: Record) -> list[tuple[str, str]]:
    """Ingest audiences, and return field and code of each reason."""
    place.ingest("users", [user()])
    place.ingest("audiences", records)
    return [(problem.field, problem.code) for entry in place.entries() for problem in entry.problems]


def characteristics(**members: Any) -> Record:  # noqa: ANN401 - any JSON
    return audience(segments=[segment(characteristics=members)])


def test_the_labelled_set_is_large_and_its_texts_differ() -> None:
    assert len(cases()) >= 500
    assert len(verdicts()) == len(cases())


def test_nearly_all_personal_texts_are_found_and_nearly_no_others() -> None:
    texts, found = (sum(each[at] for each in recall().values()) for at in (0, 1))
    assert found / texts >= 0.94
    passing = sum(case.kind is None for case in cases())
    assert len(false_positives()) / passing <= 0.02


def test_each_text_that_is_found_is_suspected_first_wherever_it_stands() -> None:
    found = [case for case, kinds in verdicts().items() if kinds]
    missed = [case for case in found if not suspected(characteristics(**{case.member: case.text}))]
    missed += [case for case in found if not suspected(audience(description=case.text))]
    assert missed == []


def suspected(record: dict[str, Any]) -> bool:
    schema = arrow_schema(AUDIENCES)
    texts = {"name", "description", "original_query"}
    row = {name: record.get(name) for name in texts}
    row["selected_variables"] = record["selected_variables"]
    for name in ("variable_details", "segments", "metadata"):
        row[name] = canonical_json(record[name])
    arrays = [pa.array([row.get(field.name)], field.type) for field in schema if field.name in row]
    others = pa.Table.from_arrays(arrays, names=[field.name for field in schema if field.name in row])
    return suspects(AUDIENCES, others) == [0]


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (audience(name=MAIL), "name"),
        (audience(description=f"ask {MAIL}"), "description"),
        (audience(original_query=MAIL), "original_query"),
        (audience(selected_variables=["V1", MAIL]), "selected_variables[1]"),
        (audience(variable_details=[{"code": "V1", "description": MAIL}]), "variable_details[0].description"),
        (audience(segments=[segment(name=MAIL)]), "segments[0].name"),
        (audience(segments=[segment(prizm_segments=["04", MAIL])]), "segments[0].prizm_segments[1]"),
        (characteristics(a={"b": [1, {"c": MAIL}]}), "segments[0].characteristics.a.b[1].c"),
        (characteristics(**{MAIL: 3}), "segments[0].characteristics.[email]"),
        (audience(metadata={"notes": MAIL}), "metadata.notes"),
        (audience(metadata={"tags": ["a", MAIL]}), "metadata.tags[1]"),
        (audience(metadata={"campaign_id": MAIL}), "metadata.campaign_id"),
    ],
)
def test_every_text_of_an_audience_is_looked_at(place: Place, record: Record, field: str) -> None:
    assert reasons(place, record, audience(2)) == [(field, "personal_email")]
    assert len(place.rows("audiences")) == 1
    assert MAIL.encode() not in written(place)


@pytest.mark.parametrize("case", [case for case, kinds in verdicts().items() if kinds == [case.kind]][::9])
def test_the_reason_names_field_and_kind_and_the_value_is_written_nowhere(place: Place, case: Case) -> None:
    assert reasons(place, audience(metadata={"notes": case.text})) == [("metadata.notes", f"personal_{case.kind}")]
    assert case.text.encode() not in written(place)
    (entry,) = place.entries()
    record, head = place.landing.quarantine.content(entry)
    assert record is None
    assert msgspec.json.decode(head) == audience(metadata={"notes": f"[{case.kind}]"})


def test_all_reasons_come_at_once_and_none_repeats_what_is_personal(place: Place) -> None:
    wrong = audience(status=MAIL, nickname=MAIL, description="203.0.113.7", total_audience_size=10)
    found = reasons(place, wrong)
    assert ("description", "personal_ip_address") in found
    assert {code for _, code in found} >= {"not_allowed", "unknown_field", "larger_than_total", "personal_email"}
    assert MAIL.encode() not in written(place)
    assert b"203.0.113.7" not in written(place)


@pytest.mark.parametrize(
    "sent",
    [
        line(audience(description=MAIL))[:-1],
        b'["' + MAIL.encode() + b'"]',
        b'{"name":"' + MAIL.encode() + b'","name":"b"}',
        line(audience(description=MAIL)) + b" " * 17 * 2**20,
    ],
    ids=["cut", "a list", "repeated", "too long"],
)
def test_what_is_no_record_is_not_kept_either(place: Place, sent: bytes) -> None:
    place.ingest("audiences", [sent])
    (entry,) = place.entries()
    assert not entry.retryable
    assert MAIL.encode() not in written(place)


@pytest.mark.parametrize("cut", [0, 1], ids=["a record", "no JSON"])
def test_a_record_with_a_secret_besides_leaves_neither(place: Place, cut: int) -> None:
    sent = line(audience(name=MAIL, credentials={"api_key": "a plain secret"}))
    place.ingest("audiences", [sent[: len(sent) - cut]])
    assert b"a plain secret" not in written(place)
    assert MAIL.encode() not in written(place)


def test_a_refused_update_holds_the_audiences_distributions(place: Place) -> None:
    place.ingest("users", [user()])
    place.ingest("audiences", [audience()])
    place.ingest("platforms", [platform()])
    place.ingest("distributions", [distribution()])
    place.ingest("audiences", [audience(updated_at="2025-06-01T00:00:00Z", description=MAIL)])
    assert place.landing.quarantine.of_keys(AUDIENCES, [uuid(1)])


@pytest.mark.parametrize(
    "members",
    [
        {"first_name": "Jane"},
        {"lastName": "Doe"},
        {"Full name": "Jane Doe"},
        {"date_of_birth": "1980-02-03"},
        {"customer_ids": ["a1", "b2"]},
        {"householdId": "h-17"},
        {"members": ["jane", "john"]},
        {"top": {"customers": [{"name": "Jane", "spend": 12}]}},
        {"users": {"u1": {"age": 30}, "u2": {"age": 31}}},
        {"sample": [{"user_id": "u1"}, {"user_id": "u2"}]},
    ],
)
def test_characteristics_that_list_individuals_are_refused(place: Place, members: dict[str, Any]) -> None:
    found = reasons(place, characteristics(**members))
    assert {code for _, code in found} == {"personal_individuals"}


@pytest.mark.parametrize(
    "members",
    [
        {"customers": 120, "users": 0.4, "members": None, "people": []},
        {"device_share": {"mobile": 0.6, "desktop": 0.4}, "email": 0.2, "phone": "landline", "email_opt_in": True},
        {"household_size": 3, "household_income": "$75,000-$125,000", "customer_value": "high", "brand_name": "Acme"},
        {"customers": {"new": 10, "returning": 20}, "phone_users": 120000},
        {"lat_am": 0.4, "long": "12.345", "location": "Ohio", "center": [40.7, -74.0]},
    ],
)
def test_characteristics_that_are_aggregates_pass(place: Place, members: dict[str, Any]) -> None:
    assert reasons(place, characteristics(**members)) == []
    assert len(place.rows("audiences")) == 1


@pytest.mark.parametrize(
    "members",
    [
        {"lat": 40.7128, "lon": -74.006},
        {"center": {"latitude": "40.7128", "longitude": "-74.0060"}},
        {"geo": {"type": "Point", "coordinates": [-74.006, 40.7128]}},
        {"homeLocation": [40.7128, -74.006]},
        {"phone": 6502530000},
        {"ssn": 457555462},
    ],
)
def test_numbers_under_telling_names_are_looked_at(place: Place, members: dict[str, Any]) -> None:
    found = reasons(place, characteristics(**members))
    assert {code for _, code in found} <= {"personal_location", "personal_phone", "personal_national_id"}
    assert found


def test_a_segment_of_a_few_people_is_refused_and_an_empty_one_is_not(place: Place) -> None:
    small = audience(segments=[segment(size=24), segment(segment_id="s2", size=0), segment(segment_id="s3", size=25)])
    assert reasons(place, small) == [("segments[0].size", "segment_too_small")]
    (entry,) = place.entries()
    assert "24" not in entry.problems[0].found


def test_a_kind_that_is_allowed_passes_and_no_other(tmp_path: Path) -> None:
    place = Place(tmp_path, pii_allowed=frozenset({"ip_address"}))
    allowed = audience(1, description="the network 203.0.113.7")
    assert reasons(place, allowed, audience(2, description=MAIL)) == [("description", "personal_email")]
    assert len(place.rows("audiences")) == 1


def test_kinds_are_allowed_by_name_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIENCE_PIPELINE_PII_ALLOWED", "phone, email")
    assert load_settings().pii_allowed == {"phone", "email"}
    monkeypatch.setenv("AUDIENCE_PIPELINE_PII_ALLOWED", "phone,emial")
    with pytest.raises(SettingsError, match="emial"):
        load_settings()


def test_other_tables_may_hold_what_audiences_may_not(place: Place) -> None:
    place.ingest("users", [user(email=MAIL)])
    assert place.entries() == []


@pytest.mark.parametrize(
    "text", ["1" * 1_000_000, "1 " * 400_000, "a@" * 400_000, "A1 " * 300_000, "+1-" * 300_000, "1.1.1.1 " * 100_000]
)
def test_a_long_hostile_text_is_judged(text: str) -> None:
    assert isinstance(ALL.kinds(text), list)
