"""Credentials: sealed on their way in, proved to be sealed, and never in a byte that is written in plaintext."""

import io
from pathlib import Path

import msgspec
import pytest

from audience_pipeline.ingest.run import IngestReport, ingest_stream
from audience_pipeline.ingest.secrets import configured_keyset
from audience_pipeline.security import seal_platform
from audience_pipeline.security.keyset import generate_keyset
from audience_pipeline.tables import PLATFORMS
from audience_pipeline_tests.ingest.builders import Record, line, platform, uuid
from audience_pipeline_tests.ingest.conftest import Place

SECRET = "hunter2-hunter2"  # noqa: S105 - what must not be found
PLAIN = platform(credentials={"api_key": SECRET, "account_id": "acct", "additional_config": {"token": SECRET}})


def pipe(place: Place, *lines: Record | bytes) -> IngestReport:
    content = b"".join((each if isinstance(each, bytes) else line(each)) + b"\n" for each in lines)
    return ingest_stream(place.landing, PLATFORMS, io.BytesIO(content))


def written(place: Place) -> bytes:
    return b"".join(path.read_bytes() for path in place.directory.rglob("*") if path.is_file())


def test_a_pipe_is_sealed_in_memory(place: Place) -> None:
    assert pipe(place, PLAIN) == IngestReport("platforms", read=1, inserted=1)
    (row,) = place.rows("platforms")
    credentials = msgspec.json.decode(row["credentials"])
    assert credentials["encrypted"] is True
    assert credentials["account_id"] == "acct"
    assert SECRET.encode() not in written(place)


def test_a_replay_through_the_pipe_changes_nothing_though_sealed_text_differs(place: Place) -> None:
    pipe(place, PLAIN)
    before = place.rows("platforms")
    report = pipe(place, PLAIN)
    assert (report.inserted, report.updated, report.unchanged) == (0, 0, 1)
    assert place.rows("platforms") == before


@pytest.mark.parametrize(
    "bad",
    [
        line(PLAIN)[:-3],
        line(PLAIN).replace(b'"status"', b'"status":"x","status"'),
        line({**PLAIN, "credentials": {"api_key": SECRET, "pin": SECRET}}),
        line({**PLAIN, "user_id": None}),
        line({**PLAIN, "credentials": SECRET}),
        line({**PLAIN, "credentials": {"encrypted": True, "api_key": SECRET}}),
        line({**PLAIN, "api_key": SECRET}),
        line({**PLAIN, "settings": {"api_key": SECRET}}),
        b'"' + SECRET.encode() + b'"',
        line({**PLAIN, "name": 1}).replace(b'"active"', b"1e400"),
    ],
    ids=["cut", "twice", "unknown secret", "no owner", "text", "claim", "misplaced", "in settings", "value", "number"],
)
def test_nothing_of_a_secret_is_kept_of_a_record_that_is_refused(place: Place, bad: bytes) -> None:
    report = pipe(place, bad, platform(2))
    assert (report.read, report.inserted, report.rejected) == (2, 1, 1)
    (entry,) = place.entries()
    assert entry.line == 1
    assert SECRET.encode() not in (place.kept(entry) or b"") + repr(entry).encode()
    assert SECRET.encode() not in written(place)


def test_a_refused_record_that_was_sealed_can_be_tried_again(place: Place) -> None:
    pipe(place, {**PLAIN, "updated_at": "2025-08-01T13:00:00Z"})
    (entry,) = place.entries()
    assert entry.retryable
    assert SECRET.encode() not in (place.kept(entry) or b"")


def test_sealed_credentials_land_from_a_file(place: Place) -> None:
    keyset = configured_keyset(place.settings)
    assert place.ingest("platforms", [seal_platform(PLAIN, keyset)]).inserted == 1


def test_credentials_sealed_for_another_platform_or_keyset_are_refused(place: Place) -> None:
    keyset = configured_keyset(place.settings)
    moved = {**seal_platform(PLAIN, keyset), "platform_id": uuid(7)}
    foreign = seal_platform(PLAIN, generate_keyset())
    assert place.ingest("platforms", [moved, foreign]).rejected == 2
    assert place.codes() == [{"does_not_open"}, {"unknown_key"}] or place.codes() == [
        {"unknown_key"},
        {"does_not_open"},
    ]


def test_the_quarantine_is_readable_by_its_owner_only(place: Place) -> None:
    place.ingest("audiences", [b"broken"])
    path: Path = place.landing.quarantine.path
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
