"""What may hold a secret is written nowhere: not in quarantine, and not in the file that keeps a pipe for a moment."""

import io
import tempfile
from pathlib import Path
from typing import Any

import pytest

from audience_pipeline.ingest.run import ingest_stream
from audience_pipeline.tables import PLATFORMS
from audience_pipeline_tests.ingest.builders import line, platform
from audience_pipeline_tests.ingest.conftest import Place

SECRET = b"hunter2-hunter2"
PLAIN = platform(credentials={"api_key": SECRET.decode(), "account_id": "acct"})
LONG = line(PLAIN)[:-1] + b',"notes":"' + b"x" * 17 * 2**20 + b'"}'


def written(place: Place) -> bytes:
    return b"".join(path.read_bytes() for path in place.directory.rglob("*") if path.is_file())


@pytest.fixture
def spooled(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Keep the files a pipe is held in, since they are gone when the ingest ends."""
    kept: list[Path] = []

    def keep(**options: Any) -> Any:  # noqa: ANN401 - whatever tempfile takes and returns
        file = tempfile.NamedTemporaryFile(**options, delete=False)  # noqa: SIM115 - closed by whoever asked for it
        kept.append(Path(file.name))
        return file

    monkeypatch.setattr(tempfile, "TemporaryFile", keep)
    return kept


@pytest.mark.parametrize("end", [b"\n", b""], ids=["whole", "cut"])
def test_nothing_is_kept_of_a_platform_on_a_line_too_long_to_hold(place: Place, end: bytes) -> None:
    sent = place.drop("platforms", "long.ndjson", [])
    sent.write_bytes(LONG + end)
    (landed,) = place.land()
    (entry,) = place.entries()
    assert (landed.rejected, entry.retryable) == (1, False)
    assert SECRET not in place.landing.quarantine.path.read_bytes()


@pytest.mark.parametrize("table", ["users", "audiences", "distributions"])
@pytest.mark.parametrize("sent", [line(PLAIN), line(PLAIN)[:-3], b"[" + line(PLAIN) + b"]", LONG])
def test_credentials_sent_to_the_wrong_table_are_not_kept(place: Place, table: str, sent: bytes) -> None:
    path = place.directory.parent / "sent.ndjson"
    path.write_bytes(sent)
    assert place.ingest_file(table, path).rejected == 1
    (entry,) = place.entries()
    assert not entry.retryable
    assert SECRET not in written(place)
    path.unlink()


@pytest.mark.parametrize(
    "doubtful",
    [
        {"api_key": SECRET.decode()},
        {"settings": {"api_key": SECRET.decode()}},
        {"name": {"api_key": SECRET.decode()}},
        {"credentials": {"encrypted": SECRET.decode()}},
        {"credentials": {"encrypted": True, "account_id": {"api_key": SECRET.decode()}}},
        {"credentials": {"encrypted": True, "fingerprint": SECRET.decode()}},
    ],
    ids=["misplaced", "in settings", "in the name", "as the flag", "in the account", "as the fingerprint"],
)
def test_a_doubtful_record_of_a_pipe_is_written_nowhere_and_stops_no_other(
    place: Place, spooled: list[Path], doubtful: dict[str, Any]
) -> None:
    report = ingest_stream(place.landing, PLATFORMS, io.BytesIO(line(platform(1, **doubtful)) + b"\n" + line(PLAIN)))
    assert (report.read, report.inserted, report.rejected) == (2, 1, 1)
    (entry,) = place.entries()
    assert entry.line == 1
    assert SECRET not in repr(entry).encode()
    assert len(spooled) == 1
    assert SECRET not in written(place)
