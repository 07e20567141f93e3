"""Files land once, in order, and leave the landing directory; what cannot land stays and stops nothing else."""

import gzip
from pathlib import Path

import pytest

from audience_pipeline.ingest.sources import identify
from audience_pipeline.tables import AUDIENCES, POSITION, USERS
from audience_pipeline_tests.ingest.builders import Record, audience, distribution, line, platform, user, uuid, write
from audience_pipeline_tests.ingest.conftest import Place


def test_records_of_all_tables_land_in_one_go_in_the_order_of_their_references(place: Place) -> None:
    place.drop("distributions", "d.ndjson", [distribution()])
    place.drop("platforms", "p.ndjson", [platform()])
    place.drop("audiences", "a.ndjson", [audience()])
    place.drop("users", "u.ndjson", [user()])
    landed = place.land()
    assert [(file.table, file.accepted, file.rejected) for file in landed] == [
        ("users", 1, 0),
        ("audiences", 1, 0),
        ("platforms", 1, 0),
        ("distributions", 1, 0),
    ]
    assert [file.months for file in landed] == [{0}, {202505}, {0}, {202506}]


def test_landed_records_keep_where_they_came_from_and_are_not_in_the_table_yet(place: Place) -> None:
    place.drop("audiences", "a.ndjson", [b"", line(audience(1)), b"broken", line(audience(2))])
    (file,) = place.land()
    assert file.entry is not None
    rows = place.store.landing.read(AUDIENCES).to_pylist()
    assert [(row["audience_id"], row[POSITION] - file.entry.number * 2**32) for row in rows] == [
        (uuid(1), 2),
        (uuid(2), 4),
    ]
    assert {row["landed_file"] for row in rows} == {"audiences/a.ndjson"}
    assert {row["landed_digest"] for row in rows} == {file.entry.digest}
    assert place.rows("audiences") == []


def test_a_consumed_file_moves_out_of_the_way_and_a_namesake_does_not_overwrite_it(place: Place) -> None:
    for number in (1, 2):
        path = place.drop("audiences", "a.ndjson", [audience(number)])
        place.land()
        assert not path.exists()
    done = sorted((place.settings.landing_dir / ".done" / "audiences").iterdir())
    assert len(done) == 2
    assert {each.read_bytes() for each in done} == {line(audience(number)) + b"\n" for number in (1, 2)}


def test_a_file_is_reported_before_it_is_moved_away(place: Place) -> None:
    path = place.drop("audiences", "a.ndjson", [audience()])
    there: list[bool] = []
    place.land(lambda _: there.append(path.exists()))
    assert there == [True]


def test_a_file_that_took_the_name_of_another_meanwhile_stays_and_lands_next(place: Place) -> None:
    path = place.drop("audiences", "a.ndjson", [audience(1)])

    def send_another(_: object) -> None:
        write(path.with_suffix(".tmp"), [audience(2)]).replace(path)

    assert [file.accepted for file in place.land(send_another)] == [1]
    assert path.read_bytes() == line(audience(2)) + b"\n"
    assert [file.accepted for file in place.land()] == [1]
    assert place.store.landing.read(AUDIENCES).num_rows == 2


def test_unfinished_and_hidden_files_are_left_alone(place: Place) -> None:
    for name in ("a.ndjson.tmp", ".a.ndjson", "notes.txt"):
        place.drop("audiences", name, [audience()])
    assert place.land() == []


def test_a_replayed_file_changes_nothing_and_counts_as_before(place: Place) -> None:
    sent: list[Record | bytes] = [audience(1), b"broken", audience(2)]
    first = place.ingest("audiences", sent)
    before = {path: path.stat().st_mtime_ns for path in place.settings.data_dir.rglob("*.parquet")}
    second = place.ingest("audiences", sent)
    assert (first.read, first.inserted, first.rejected) == (3, 2, 1)
    assert (second.read, second.inserted, second.unchanged, second.rejected) == (3, 0, 2, 1)
    assert {path: path.stat().st_mtime_ns for path in place.settings.data_dir.rglob("*.parquet")} == before
    assert len(place.entries()) == 1


def test_the_same_content_is_the_same_file_under_any_name_and_packing(place: Place) -> None:
    content = line(audience()) + b"\n"
    place.drop("audiences", "a.ndjson", [audience()])
    path = place.settings.landing_dir / "audiences" / "b.ndjson.gz"
    path.write_bytes(gzip.compress(content))
    place.land()
    assert place.store.landing.read(AUDIENCES).num_rows == 1


def test_two_files_with_the_same_record_converge_on_the_newer_version_in_any_order(tmp_path: Path) -> None:
    old = audience(name="old", updated_at="2025-05-04T00:00:00Z")
    new = audience(name="new", updated_at="2025-05-05T00:00:00Z")
    for index, order in enumerate(([old, new], [new, old])):
        place = Place(tmp_path / str(index))
        reports = [place.ingest("audiences", [record]) for record in order]
        assert [row["name"] for row in place.rows("audiences")] == ["new"]
        assert (reports[1].updated, reports[1].stale) == ((1, 0) if index == 0 else (0, 1))
        place.store.close()


def test_without_versions_the_record_landed_last_wins(place: Place) -> None:
    place.ingest("users", [user(organization="one"), user(organization="two")])
    assert [row["organization"] for row in place.rows("users")] == ["two"]
    place.ingest("users", [user(organization="three")])
    assert [row["organization"] for row in place.rows("users")] == ["three"]


def test_counts_add_up_to_the_records_read(place: Place) -> None:
    later = {"updated_at": "2025-05-05T00:00:00Z"}
    report = place.ingest("audiences", [audience(1), audience(1), audience(2), audience(2, **later), b"{"])
    assert report.read == 5
    assert report.inserted + report.updated + report.unchanged + report.stale + report.rejected == 5
    assert (report.inserted, report.rejected) == (2, 1)


@pytest.mark.parametrize("change", [{"user_id": "another"}, {"created_at": "2025-05-03T10:20:30.457Z"}])
def test_a_record_that_moves_an_existing_key_is_refused(place: Place, change: dict[str, str]) -> None:
    place.ingest("audiences", [audience()])
    report = place.ingest("audiences", [{**audience(updated_at="2025-06-01T00:00:00Z"), **change}])
    assert (report.updated, report.rejected) == (0, 1)
    assert place.codes() == [{"immutable"}]
    assert place.rows("audiences")[0]["user_id"] == "user123"


def test_times_that_never_change_are_named_as_records_have_them(place: Place) -> None:
    place.ingest("audiences", [audience()])
    place.ingest("audiences", [audience(created_at="2025-05-03T10:20:31Z", updated_at="2025-06-01T00:00:00Z")])
    ((problem,),) = (entry.problems for entry in place.entries())
    assert (problem.found, problem.expected) == ("2025-05-03T10:20:31.000Z", "2025-05-03T10:20:30.456Z, as stored")


def test_a_file_named_by_a_relative_path_that_was_not_finished_is_finished_first(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = write(tmp_path / "sent" / "older.ndjson", [audience(1, name="older")])
    monkeypatch.chdir(older.parent)
    source = identify(Path("older.ndjson"))
    place.store.landing.open_file(AUDIENCES, source.digest, source.name)
    monkeypatch.chdir("/")
    report = place.ingest("audiences", [audience(1, name="newer"), audience(2)])
    assert (report.read, report.inserted) == (2, 1)
    landed = place.store.landing.read(AUDIENCES).column("name").to_pylist()
    assert landed == ["older", "newer", "audience 2"]


def test_a_record_that_moves_a_key_that_only_landed_is_refused(place: Place) -> None:
    place.drop("audiences", "a.ndjson", [audience()])
    place.drop("audiences", "b.ndjson", [audience(created_at="2025-04-03T00:00:00Z")])
    first, second = place.land()
    assert (first.accepted, second.accepted, second.rejected) == (1, 0, 1)
    assert place.codes() == [{"immutable"}]


@pytest.mark.parametrize("user_id", ["../../etc", "a/b=c%", "..", "\N{PARTY POPPER} ü", " ", "user_id=x", "%2e%2e"])
def test_odd_users_stay_in_their_directories(place: Place, user_id: str) -> None:
    place.ingest("audiences", [audience(user_id=user_id)])
    assert [row["user_id"] for row in place.rows("audiences")] == [user_id]
    outside = [path for path in place.directory.rglob("*.parquet") if place.settings.data_dir not in path.parents]
    assert outside == []
    assert [path.parts[-5] for path in (place.settings.data_dir / "audiences").rglob("*.parquet")] == ["audiences"]


def test_a_new_distribution_is_pending_whatever_it_says(place: Place) -> None:
    place.ingest("audiences", [audience()])
    place.ingest("platforms", [platform()])
    place.ingest("distributions", [distribution(metadata={"approval_status": "approved", "approved_by": "me"})])
    assert [row["metadata"] for row in place.rows("distributions")] == ['{"approval_status":"pending"}']


def test_an_approval_that_lands_counts_where_the_settings_trust_it(tmp_path: Path) -> None:
    place = Place(tmp_path, trust_landed_approval=True)
    place.ingest("audiences", [audience()])
    place.ingest("platforms", [platform()])
    place.ingest("distributions", [distribution(metadata={"approval_status": "approved", "approved_by": "me"})])
    assert place.rows("distributions")[0]["metadata"] == '{"approval_status":"approved","approved_by":"me"}'
    place.store.close()


def test_the_ledger_is_rebuilt_from_the_landed_files(place: Place) -> None:
    sent = place.drop("users", "u.ndjson", [user("a"), user("b")]).read_bytes()
    place.drop("audiences", "a.ndjson", [audience()])
    place.land()
    landed = place.store.landing.read(USERS)
    place.store.close()
    for path in (place.settings.data_dir / "_state").glob("store.sqlite*"):
        path.unlink()
    place.open()
    assert place.store.landing.read(USERS).equals(landed)
    write(place.settings.landing_dir / "users" / "again.ndjson", sent.splitlines())
    place.land()
    assert place.store.landing.read(USERS).num_rows == 2
    place.drop("audiences", "b.ndjson", [audience(created_at="2025-04-03T00:00:00Z")])
    assert place.land()[0].rejected == 1
