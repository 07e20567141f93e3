"""Every generated record keeps the rules of landing; the rules are written out here once more, on purpose."""

import re
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from audience_pipeline.demo.prizm import SEGMENTS
from audience_pipeline_tests.demo.worlds import NOW, TABLES, text, world

Record = dict[str, Any]
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
PII = re.compile(r"@|\d{3}[-. ]\d{3,4}[-. ]\d{4}|\d{3}-\d{2}-\d{4}|\d{9}|[0-9a-f]{32}|\d+\.\d+\.\d+\.\d+")
FIELDS = {
    "users": "user_id email organization created_at last_login permissions quota",
    "audiences": "audience_id user_id name description created_at updated_at status data_type original_query"
    " selected_variables variable_details segments total_audience_size metadata",
    "platforms": "platform_id user_id platform_type name created_at updated_at status credentials settings last_sync"
    " sync_status",
    "distributions": "distribution_id user_id audience_id platform_id created_at scheduled_at executed_at status"
    " distribution_type segments_distributed match_results error_details metadata",
}
NESTED = {
    "quota": "max_audiences max_distributions_per_month current_usage",
    "variable_details": "code description relevance_score type",
    "segments": "segment_id name size size_percentage characteristics prizm_segments",
    "credentials": "encrypted api_key account_id additional_config",
    "settings": "default_match_rate auto_refresh refresh_frequency",
    "match_results": "total_records matched_records match_rate platform_audience_id",
    "error_details": "error_code error_message retry_count",
}


@pytest.fixture(scope="module")
def tables() -> dict[str, list[Record]]:
    one = world()
    return {table: [msgspec.json.decode(line) for line in text(one, table).splitlines()] for table in TABLES}


def time(record: Record, field: str) -> datetime | None:
    return None if record[field] is None else datetime.fromisoformat(record[field])


@pytest.mark.parametrize("table", TABLES)
def test_records_have_the_documented_fields_in_the_documented_order(
    tables: dict[str, list[Record]], table: str
) -> None:
    for record in tables[table]:
        assert list(record) == FIELDS[table].split()
        for field, members in NESTED.items():
            values = record.get(field) or []
            for value in values if isinstance(values, list) else [values]:
                assert list(value) == members.split()


@pytest.mark.parametrize("table", TABLES)
def test_times_are_iso_8601_in_utc_and_in_order_and_only_due_times_lie_ahead(
    tables: dict[str, list[Record]], table: str
) -> None:
    for record in tables[table]:
        fields = [
            field for field in FIELDS[table].split() if field.endswith("_at") or field in {"last_login", "last_sync"}
        ]
        texts = [record[field] for field in fields if record[field] is not None]
        assert all(TIME.fullmatch(value) for value in texts)
        created = time(record, "created_at")
        assert created is not None
        for field in fields:
            moment = time(record, field)
            latest = NOW + timedelta(days=730) if field == "scheduled_at" else NOW
            assert moment is None or created <= moment <= latest


@pytest.mark.parametrize("table", TABLES[1:])
def test_keys_are_distinct_version_4_uuids(tables: dict[str, list[Record]], table: str) -> None:
    keys = [record[f"{table[:-1]}_id"] for record in tables[table]]
    assert len(set(keys)) == len(keys)
    assert all(UUID4.fullmatch(key) for key in keys)


def test_segments_fit_their_audience(tables: dict[str, list[Record]]) -> None:
    codes = {segment.code for segment in SEGMENTS}
    for audience in tables["audiences"]:
        total = audience["total_audience_size"]
        ids = [segment["segment_id"] for segment in audience["segments"]]
        assert len(set(ids)) == len(ids) > 0
        for segment in audience["segments"]:
            assert segment["size"] == 0 or 25 <= segment["size"] <= total
            assert 0 <= segment["size_percentage"] <= 100
            if total:
                assert abs(segment["size_percentage"] - 100 * segment["size"] / total) <= 0.5
            assert segment["prizm_segments"]
            assert set(segment["prizm_segments"]) <= codes


def test_variables_are_listed_alike_and_relevant_between_0_and_1(tables: dict[str, list[Record]]) -> None:
    for audience in tables["audiences"]:
        codes = [detail["code"] for detail in audience["variable_details"]]
        assert codes == audience["selected_variables"]
        assert len(set(codes)) == len(codes) >= 5
        assert all(0 <= detail["relevance_score"] <= 1 for detail in audience["variable_details"])


def test_audience_definitions_hold_nothing_that_looks_personal(tables: dict[str, list[Record]]) -> None:
    for audience in tables["audiences"]:
        said = {
            field: audience[field] for field in audience if field not in {"audience_id", "created_at", "updated_at"}
        }
        assert not PII.search(msgspec.json.encode(said).decode())


def test_addresses_lie_under_a_reserved_domain(tables: dict[str, list[Record]]) -> None:
    assert all(user["email"].endswith(".example") for user in tables["users"])


def test_distributions_refer_to_an_earlier_audience_and_a_platform_of_the_same_user(
    tables: dict[str, list[Record]],
) -> None:
    audiences = {record["audience_id"]: record for record in tables["audiences"]}
    platforms = {record["platform_id"]: record for record in tables["platforms"]}
    users = {record["user_id"] for record in tables["users"]}
    for record in tables["distributions"]:
        audience, platform = audiences[record["audience_id"]], platforms[record["platform_id"]]
        assert record["user_id"] == audience["user_id"] == platform["user_id"]
        assert record["user_id"] in users
        assert max(audience["created_at"], platform["created_at"]) <= record["created_at"]
        sent = record["segments_distributed"]
        assert len(set(sent)) == len(sent) > 0
        assert set(sent) <= {segment["segment_id"] for segment in audience["segments"]}


def test_match_results_add_up(tables: dict[str, list[Record]]) -> None:
    results = [record["match_results"] for record in tables["distributions"] if record["match_results"]]
    for result in results:
        total, matched, rate = (result[field] for field in ("total_records", "matched_records", "match_rate"))
        assert 0 <= matched <= total
        assert (rate is None) == (total == 0)
        if total:
            assert 0 <= rate <= 1
            assert abs(rate - matched / total) <= 0.005
    assert any(result["total_records"] == 0 for result in results)


def test_each_status_has_what_belongs_to_it(tables: dict[str, list[Record]]) -> None:
    for record in tables["distributions"]:
        approval = record["metadata"]["approval_status"]
        done, failed = record["status"] == "completed", record["status"] == "failed"
        assert (record["match_results"] is not None) == done
        assert (record["error_details"] is not None) == failed
        assert record["metadata"]["cost_estimate"] >= 0
        assert (record["metadata"]["approved_by"] is not None) == (approval == "approved")
        if done:
            assert approval == "approved"
        if record["status"] != "scheduled":
            executed, scheduled = time(record, "executed_at"), time(record, "scheduled_at")
            assert (executed is not None) == (approval == "approved")
            assert executed is None or scheduled is None or scheduled <= executed


@pytest.mark.parametrize(
    ("table", "field", "values"),
    [
        ("audiences", "status", "draft active archived"),
        ("audiences", "data_type", "first_party third_party clean_room"),
        ("platforms", "status", "active inactive"),
        ("platforms", "sync_status", "success failed pending"),
        ("platforms", "platform_type", "the_trade_desk google_ads facebook amazon_dsp linkedin_ads tiktok_ads"),
        ("distributions", "status", "scheduled completed failed"),
        ("distributions", "distribution_type", "initial refresh incremental"),
    ],
)
def test_every_value_occurs_and_no_other(tables: dict[str, list[Record]], table: str, field: str, values: str) -> None:
    assert {record[field] for record in tables[table]} == set(values.split())


def test_quotas_leave_room_for_the_whole_world_in_one_month(tables: dict[str, list[Record]]) -> None:
    audiences = Counter(record["user_id"] for record in tables["audiences"])
    distributions = Counter(record["user_id"] for record in tables["distributions"])
    for user in tables["users"]:
        assert audiences[user["user_id"]] <= user["quota"]["max_audiences"]
        assert distributions[user["user_id"]] <= user["quota"]["max_distributions_per_month"]


def test_drafts_are_not_distributed(tables: dict[str, list[Record]]) -> None:
    drafts = {record["audience_id"] for record in tables["audiences"] if record["status"] == "draft"}
    assert drafts
    assert not drafts & {record["audience_id"] for record in tables["distributions"]}
