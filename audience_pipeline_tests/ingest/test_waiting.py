"""References inside the tenant, and records that wait for them."""

from datetime import datetime, timedelta

import msgspec
import pyarrow as pa
import pytest

from audience_pipeline.ingest.chunks import RefusedLine
from audience_pipeline.ingest.files import LandedFile
from audience_pipeline.ingest.folds import fold_landed
from audience_pipeline.ingest.retry import retry
from audience_pipeline.ingest.run import retry_entries
from audience_pipeline.ingest.sources import identify
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS
from audience_pipeline.tables.arrow import arrow_schema
from audience_pipeline_tests.ingest.builders import audience, distribution, line, platform, user, uuid, write
from audience_pipeline_tests.ingest.conftest import Place

ANOTHER = "another"


def test_absent_and_foreign_references_read_the_same(place: Place) -> None:
    place.ingest("audiences", [audience(1, user_id=ANOTHER)])
    place.ingest("platforms", [platform()])
    place.ingest("distributions", [distribution(1, audience_id=uuid(1)), distribution(2, audience_id=uuid(2))])
    foreign, absent = sorted(place.entries(), key=lambda entry: entry.line)
    assert [problem.code for problem in foreign.problems] == ["reference_missing"]
    ((one,), (other,)) = foreign.problems, absent.problems
    assert (one.expected, one.remedy) == (other.expected, other.remedy)
    assert ANOTHER not in repr(foreign)


def test_a_record_that_refers_to_an_absent_one_is_tried_again_when_that_has_landed(place: Place) -> None:
    place.ingest("distributions", [distribution()])
    assert place.entries()[0].waiting_for == ("audiences", "platforms")
    place.ingest("audiences", [audience()])
    assert place.entries()[0].waiting_for == ("platforms",)
    place.ingest("platforms", [platform()])
    assert place.entries() == []
    assert [row["distribution_id"] for row in place.rows("distributions")] == [uuid(1)]


def test_landing_alone_tries_waiting_records_again_too(place: Place) -> None:
    place.drop("distributions", "d.ndjson", [distribution()])
    assert place.land()[0].rejected == 1
    place.drop("audiences", "a.ndjson", [audience()])
    place.drop("platforms", "p.ndjson", [platform()])
    *_, retried = place.land()
    assert (retried.table, retried.accepted, retried.months) == ("distributions", 1, frozenset({202506}))
    assert place.entries() == []
    assert place.store.landing.read(DISTRIBUTIONS).num_rows == 1


def test_a_record_waits_for_one_that_is_in_quarantine_itself(place: Place) -> None:
    place.ingest("users", [user(quota={"max_audiences": 0})])
    place.ingest("platforms", [platform()])
    place.ingest("audiences", [audience()])
    (refused,) = place.entries()
    place.ingest("distributions", [distribution()])
    place.ingest("users", [user()])
    (report,) = retry_entries(place.landing, [refused])
    assert (report.table, report.inserted) == ("audiences", 1)
    assert place.entries() == []
    assert len(place.rows("distributions")) == 1


def test_an_ingest_done_again_after_a_crash_tries_what_waited_for_it(place: Place) -> None:
    place.ingest("platforms", [platform()])
    place.ingest("distributions", [distribution()])
    sent = write(place.directory / "sent.ndjson", [audience()])
    fold_landed(place.landing, place.landing.land(AUDIENCES, identify(sent)))
    assert len(place.entries()) == 1
    assert place.ingest_file("audiences", sent).unchanged == 1
    assert place.entries() == []
    assert len(place.rows("distributions")) == 1


def test_a_landing_killed_while_it_tries_waiting_records_is_made_up_for(place: Place) -> None:
    def die(file: LandedFile) -> None:
        if file.table == "distributions":
            raise KeyboardInterrupt

    place.ingest("platforms", [platform()])
    place.drop("distributions", "d.ndjson", [distribution(audience_id=uuid(1).upper())])
    place.land()
    path = place.drop("audiences", "a.ndjson", [audience()])
    with pytest.raises(KeyboardInterrupt):
        place.land(die)
    assert path.exists(), "something is left to ask for another landing"
    place.land()
    assert place.entries() == []
    assert not path.exists()


def test_an_ingest_of_any_table_makes_up_for_one_killed_before_it_tried_waiting_records(place: Place) -> None:
    place.ingest("platforms", [platform()])
    place.ingest("distributions", [distribution()])
    sent = write(place.directory / "sent.ndjson", [audience()])
    fold_landed(place.landing, place.landing.land(AUDIENCES, identify(sent)))
    place.ingest("users", [user()])
    assert place.entries() == []


def test_records_whose_references_are_still_missing_are_left_alone(place: Place) -> None:
    place.ingest("distributions", [distribution(number, audience_id=uuid(number)) for number in (1, 2)])
    place.ingest("audiences", [audience(1)])
    assert [(entry.seen, entry.waiting_for) for entry in place.entries()] == [
        (2, ("platforms",)),
        (1, ("audiences", "platforms")),
    ]


def test_a_record_waits_for_a_day_and_stays_in_quarantine_after_that(place: Place) -> None:
    place.ingest("distributions", [distribution()])
    place.now += timedelta(hours=24, seconds=1)
    place.ingest("platforms", [platform()])
    place.ingest("audiences", [audience()])
    assert len(place.entries()) == 1
    (report,) = retry_entries(place.landing, place.entries())
    assert (report.inserted, report.rejected, place.entries()) == (1, 0, [])


def test_a_record_with_other_faults_does_not_wait(place: Place) -> None:
    place.ingest("distributions", [distribution(status="processing")])
    (entry,) = place.entries()
    assert {problem.code for problem in entry.problems} == {"engine_owned", "reference_missing"}
    assert entry.waiting_for == ()


def test_a_retry_refused_again_keeps_one_entry_and_counts(place: Place) -> None:
    place.ingest("audiences", [audience(updated_at="2025-08-01T12:30:00Z")])
    for seen in (2, 3):
        retry_entries(place.landing, place.entries())
        assert [(entry.seen, entry.line) for entry in place.entries()] == [(seen, 1)]
    place.now += timedelta(hours=1)
    retry_entries(place.landing, place.entries())
    assert place.entries() == []
    assert len(place.rows("audiences")) == 1


def test_a_record_refused_once_more_while_it_is_retried_stays(place: Place) -> None:
    place.ingest("audiences", [audience(updated_at="2025-08-01T12:30:00Z")])
    (entry,) = place.entries()
    again = RefusedLine(7, 0, entry.length, entry.digest, entry.problems, place.kept(entry))
    place.now += timedelta(hours=1)
    retry(place.landing, [entry], lambda _: place.landing.quarantine.put("audiences", "b.ndjson", [again], place.now))
    (kept,) = place.entries()
    assert (kept.digest, kept.seen) == (entry.digest, 2)
    retry_entries(place.landing, [kept])
    assert place.entries() == []


def test_what_an_upsert_refuses_goes_to_quarantine_as_a_record_again(place: Place) -> None:
    place.drop("audiences", "a.ndjson", [audience(1), audience(2, created_at="2025-05-02T00:00:00Z")])
    place.land()
    place.store.upsert(AUDIENCES, _as_row(place, uuid(2), created_at=datetime(2025, 5, 5)))  # noqa: DTZ001 - stored without a zone
    report = place.ingest_file("audiences", place.settings.landing_dir / ".done" / "audiences" / "a.ndjson")
    assert (report.inserted, report.rejected) == (1, 1)
    (entry,) = place.entries()
    kept = place.kept(entry)
    assert kept is not None
    record = msgspec.json.decode(kept)
    assert record["segments"] == audience()["segments"]
    assert place.landing.quarantine.find(entry.digest[:8]) == entry
    assert line(audience(2)) != kept


def _as_row(place: Place, key: str, created_at: datetime) -> pa.Table:
    rows = place.store.landing.read(AUDIENCES).to_pylist()
    row = next(row for row in rows if row["audience_id"] == key)
    row["created_at"] = row["updated_at"] = created_at
    return pa.Table.from_pylist([row], schema=arrow_schema(AUDIENCES))
