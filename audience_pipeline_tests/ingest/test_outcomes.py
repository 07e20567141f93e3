"""What became of a distribution: the engine's to write while it is scheduled, and kept of one that ended elsewhere."""

import pytest

from audience_pipeline_tests.ingest.builders import Record, audience, distribution, platform
from audience_pipeline_tests.ingest.conftest import Place

OUTCOME: Record = {
    "executed_at": "2025-06-02T00:00:00Z",
    "match_results": {"total_records": 10, "matched_records": 5, "match_rate": 0.5},
    "error_details": {"error_code": "timeout", "error_message": "no answer", "retry_count": 1},
}


@pytest.fixture(autouse=True)
def references(place: Place) -> None:
    place.ingest("audiences", [audience()])
    place.ingest("platforms", [platform()])


def test_a_scheduled_distribution_with_an_outcome_is_refused_with_every_reason(place: Place) -> None:
    assert place.ingest("distributions", [distribution(**OUTCOME)]).rejected == 1
    (entry,) = place.entries()
    assert [(each.field, each.code, each.expected) for each in entry.problems] == [
        (name, "engine_owned", "null while scheduled") for name in OUTCOME
    ]
    assert entry.problems[0].found == "2025-06-02T00:00:00Z"


@pytest.mark.parametrize("name", OUTCOME)
def test_each_part_of_an_outcome_is_refused_in_whatever_order_records_land(place: Place, name: str) -> None:
    early = distribution(1, **{name: OUTCOME[name]})
    assert place.ingest("distributions", [early]).rejected == 1
    assert place.ingest("distributions", [distribution(1)]).inserted == 1
    assert place.ingest("distributions", [{**early, "metadata": {"campaign_name": "new"}}]).rejected == 1
    (row,) = place.rows("distributions")
    assert (row[name], "new" in row["metadata"]) == (None, False)


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_imported_history_keeps_its_outcome(place: Place, status: str) -> None:
    assert place.ingest("distributions", [distribution(1, status=status, **OUTCOME)]).inserted == 1
    (row,) = place.rows("distributions")
    assert row["executed_at"].isoformat() == "2025-06-02T00:00:00"
    assert row["match_results"] == '{"match_rate":0.5,"matched_records":5,"total_records":10}'
    assert row["error_details"] is not None


def test_nulls_are_no_outcome(place: Place) -> None:
    assert place.ingest("distributions", [distribution(1, **dict.fromkeys(OUTCOME))]).inserted == 1
