"""What landed and was never folded is folded by the next ingest of its table, in order, and counted by nobody else."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from audience_pipeline.ingest.run import IngestReport, ingest_files, ingest_stream
from audience_pipeline.tables import AUDIENCES, USERS
from audience_pipeline_tests.ingest.builders import audience, line, user, uuid, write
from audience_pipeline_tests.ingest.conftest import Place

ROOT = Path(__file__).parents[2]


def keys(place: Place) -> set[str]:
    return {row["audience_id"] for row in place.rows("audiences")}


@pytest.mark.slow
def test_what_a_killed_ingest_landed_is_folded_by_the_next_of_another_file(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.drop("audiences", "a.ndjson", [audience(1), audience(2)])
    command = [sys.executable, "-m", "audience_pipeline_tests.ingest.crashing", str(tmp_path), "upsert"]
    assert subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode == -9
    assert keys(place) == set()
    assert place.ingest("audiences", [audience(3)]) == IngestReport("audiences", read=1, inserted=1)
    assert keys(place) == {uuid(1), uuid(2), uuid(3)}
    place.store.close()


def test_it_is_told_and_not_counted(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    place.drop("audiences", "a.ndjson", [audience(1), audience(2)])
    place.land()
    assert place.ingest("audiences", [audience(3)]) == IngestReport("audiences", read=1, inserted=1)
    told = "Folded audiences/a.ndjson, which had landed in audiences before: 2 inserted, 0 updated, 0 refused."
    assert caplog.messages == [told]
    assert place.store.landing.unfolded(AUDIENCES) == []


def test_an_ingest_of_nothing_new_folds_it_too(place: Place, tmp_path: Path) -> None:
    folded = write(tmp_path / "folded.ndjson", [audience(9)])
    place.ingest_file("audiences", folded)
    for number, again in enumerate(("replay", "pipe", "none"), start=1):
        place.drop("audiences", f"{number}.ndjson", [audience(number)])
        place.land()
        match again:
            case "replay":
                assert place.ingest_file("audiences", folded) == IngestReport("audiences", read=1, unchanged=1)
            case "pipe":
                ingest_stream(place.landing, AUDIENCES, io.BytesIO(b""))
            case _:
                ingest_files(place.landing, AUDIENCES, [])
        assert uuid(number) in keys(place)


def test_a_file_sent_again_after_the_state_was_lost_counts_what_landed_of_it(place: Place, tmp_path: Path) -> None:
    sent = write(tmp_path / "sent.ndjson", [audience(1), audience(2), b"broken"])
    place.ingest_file("audiences", sent)
    place.store.close()
    (place.settings.data_dir / "_state" / "store.sqlite").unlink()
    place.open()
    for _ in range(2):
        assert place.ingest_file("audiences", sent) == IngestReport("audiences", read=2, unchanged=2)


def test_a_file_that_landed_before_and_is_sent_again_counts_as_its_own(place: Place, tmp_path: Path) -> None:
    sent = write(tmp_path / "a.ndjson", [audience(1), audience(2)])
    write(place.settings.landing_dir / "audiences" / "a.ndjson", sent.read_bytes().splitlines())
    place.land()
    report = place.ingest_file("audiences", sent, sent)
    assert (report.read, report.inserted, report.unchanged) == (4, 2, 2)


def test_files_are_folded_in_the_order_they_landed(place: Place) -> None:
    for name in ("one", "two"):
        place.drop("users", f"{name}.ndjson", [user(organization=name, last_login=None)])
    place.land()
    ingest_stream(place.landing, USERS, io.BytesIO(line(user("another"))))
    assert {row["user_id"]: row["organization"] for row in place.rows("users")} == {"user123": "two", "another": None}


def test_a_file_of_which_every_record_was_refused_has_nothing_to_fold(place: Place, tmp_path: Path) -> None:
    sent = write(tmp_path / "a.ndjson", [b"broken"])
    write(place.settings.landing_dir / "audiences" / "a.ndjson", [b"broken"])
    place.land()
    assert place.store.landing.unfolded(AUDIENCES) == []
    assert place.ingest_file("audiences", sent) == IngestReport("audiences", read=1, rejected=1)


def test_a_table_does_not_fold_what_landed_in_another(place: Place) -> None:
    place.drop("audiences", "a.ndjson", [audience(1)])
    place.land()
    place.ingest("users", [user()])
    assert keys(place) == set()


def test_a_file_with_parts_folded_elsewhere_is_folded_once_all_its_months_are(place: Place) -> None:
    months = [audience(number, created_at=f"2025-0{number}-05T00:00:00Z") for number in (1, 2, 3)]
    place.drop("audiences", "a.ndjson", [*months, b"broken"])
    place.land()
    log = place.store.landing
    (entry,) = log.unfolded(AUDIENCES)
    for part in [(202501, 202501), (202503, 202512), (202503, 202503)]:
        log.mark_folded([entry], {"refused_late": 1}, months=part)
        assert [each.number for each in log.unfolded(AUDIENCES)] == [entry.number]
    log.mark_folded([entry], {"refused_late": 1}, months=(202501, 202502))
    assert log.unfolded(AUDIENCES) == []
    again = log.open_file(AUDIENCES, entry.digest, "again")
    assert (again.status, again.counts["refused_late"], again.counts["rejected"]) == ("folded", 3, 1)
