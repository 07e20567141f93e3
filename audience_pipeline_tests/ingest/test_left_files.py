"""A file with a line that may hold a secret stays where its sender put it, is named, and is copied nowhere."""

from typing import Any

import pytest

from audience_pipeline.errors import SecurityError
from audience_pipeline.ingest.plaintext import plaintext_files
from audience_pipeline.ingest.secrets import configured_keyset
from audience_pipeline.security import seal_platform
from audience_pipeline_tests.ingest.builders import audience, distribution, line, platform, write
from audience_pipeline_tests.ingest.conftest import Place

SECRET = "hunter2-hunter2"  # noqa: S105 - what must not be found
PLAIN = platform(2, credentials={"api_key": SECRET, "account_id": "a"})
DOUBTFUL: dict[str, Any] = {
    "cut": line(PLAIN)[:-3],
    "no JSON": b"api_key=" + SECRET.encode(),
    "a key twice": line(PLAIN).replace(b'"status"', b'"status":"x","status"'),
    "a list": b"[" + line(PLAIN) + b"]",
    "a password": platform(2, password=SECRET),
    "an api_key outside": platform(2, api_key=SECRET),
    "in settings": platform(2, settings={"api_key": SECRET}),
    "in metadata": platform(2, metadata={"password": SECRET}),
}
ASTRAY: dict[str, Any] = {
    "a platform": PLAIN,
    "a cut platform": line(PLAIN)[:-3],
    "a platform with a password": platform(2, password=SECRET),
    "an audience with an api_key": audience(2, api_key=SECRET),
    "an audience with one in metadata": audience(2, metadata={"additional_config": {"token": SECRET}}),
}


def require_left(place: Place, table: str, good: dict[str, Any], bad: Any) -> None:  # noqa: ANN401 - any line
    path = place.drop(table, "p.ndjson", [good, bad])
    content = path.read_bytes()
    for accepted in (1, 1):
        (file,) = place.land()
        assert isinstance(file.error, SecurityError)
        assert file.error.object == str(path)
        assert "line 2" in file.error.found
        assert SECRET not in str(file.error)
        assert file.accepted == accepted
    assert path.read_bytes() == content
    copies = [each for each in place.directory.rglob("*") if each.is_file() and SECRET.encode() in each.read_bytes()]
    assert copies == [path]
    assert plaintext_files(place.settings.landing_dir) == [path]


@pytest.mark.parametrize("case", DOUBTFUL)
def test_a_refused_platform_that_may_hold_a_secret_keeps_its_file_where_it_is(place: Place, case: str) -> None:
    require_left(place, "platforms", platform(1), DOUBTFUL[case])


@pytest.mark.parametrize("table", ["users", "audiences", "distributions"])
@pytest.mark.parametrize("case", ASTRAY)
def test_a_platform_in_the_directory_of_another_table_does_too(place: Place, table: str, case: str) -> None:
    place.ingest("audiences", [audience(1)])
    place.ingest("platforms", [platform(1)])
    good = {"users": {"user_id": "u", "created_at": "2025-01-01T00:00:00Z"}, "audiences": audience(7)}
    bad = ASTRAY[case] if isinstance(ASTRAY[case], bytes) else {**ASTRAY[case], "colour": "red"}
    require_left(place, table, good.get(table, distribution(1)), bad)


def test_it_is_an_error_of_an_ingest_whose_accepted_records_are_stored(place: Place) -> None:
    path = write(place.directory / "sent" / "p.ndjson", [platform(1), DOUBTFUL["a password"]])
    report = place.ingest_file("platforms", path)
    assert (report.inserted, report.rejected) == (1, 1)
    assert [error.object for error in report.errors] == [str(path)]


def test_after_the_state_was_lost_the_file_still_stays(place: Place) -> None:
    path = place.drop("platforms", "p.ndjson", [platform(1), DOUBTFUL["a password"]])
    place.land()
    place.store.close()
    for each in (place.settings.data_dir / "_state").glob("store.sqlite*"):
        each.unlink()
    place.open()
    place.land()
    assert path.exists()


@pytest.mark.parametrize("bad", [b"broken", audience(2, colour="red"), audience(2, description="the credentials")])
def test_other_refused_lines_do_not_keep_a_file(place: Place, bad: Any) -> None:  # noqa: ANN401 - any line
    path = place.drop("audiences", "a.ndjson", [audience(1), bad])
    (file,) = place.land()
    assert (file.error, path.exists()) == (None, False)


def test_a_refused_platform_whose_members_are_declared_and_sealed_does_not_keep_a_file(place: Place) -> None:
    sealed = seal_platform(PLAIN, configured_keyset(place.settings))
    path = place.drop("platforms", "p.ndjson", [{**sealed, "platform_type": "Not Snake"}])
    (file,) = place.land()
    assert (file.rejected, file.error, path.exists()) == (1, None, False)
    assert [entry.retryable for entry in place.entries()] == [True]
