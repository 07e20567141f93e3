"""A pipe is kept in a file without a name while it lands, so nothing of it is left, whatever ends the process."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audience_pipeline.ingest.run import ingest_stream
from audience_pipeline.settings import variable
from audience_pipeline.tables import AUDIENCES, PLATFORMS, Table
from audience_pipeline_tests.ingest.builders import audience, line, platform
from audience_pipeline_tests.ingest.conftest import Place

SECRET = b"hunter2-hunter2"
PATIENCE_SECONDS = 60


class Watching:
    """A stream of one record in many pieces that looks for its bytes in every file before each of them."""

    def __init__(self, place: Place, content: bytes) -> None:
        self.place = place
        self.left = content
        self.found: list[Path] = []

    def read(self, _: int, /) -> bytes:
        files = [path for path in self.place.directory.rglob("*") if path.is_file()]
        self.found += [path for path in files if SECRET in path.read_bytes()]
        piece, self.left = self.left[:5_000], self.left[5_000:]
        return piece


@pytest.mark.parametrize("table", [PLATFORMS, AUDIENCES], ids=lambda table: table.name)
def test_secrets_of_a_pipe_are_in_no_file_while_it_is_read_or_after(place: Place, table: Table) -> None:
    credentials = {"api_key": SECRET.decode(), "account_id": "a"}
    stream = Watching(place, line(platform(credentials=credentials)) + b"\n" + b" " * 30_000)
    ingest_stream(place.landing, table, stream)
    assert stream.read(1) == b""
    assert stream.found == []


def test_a_directory_of_the_table_in_which_a_pipe_is_ingested_is_left_alone(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = place.drop("audiences", "-", [audience(1)])
    monkeypatch.chdir(own.parent)
    ingest_stream(place.landing, AUDIENCES, Watching(place, line(audience(2))))
    assert own.exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_pipe_killed_half_way_leaves_no_file(place: Place) -> None:
    fields = ("data_dir", "landing_dir", "quarantine_dir", "keyset")
    environment = os.environ | {variable(name): str(getattr(place.settings, name)) for name in fields}
    command = [sys.executable, "-m", "audience_pipeline", "ingest", "audiences", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stdin is not None
            process.stdin.write(line(audience()) + b"\n")
            process.stdin.flush()
            end = time.monotonic() + PATIENCE_SECONDS
            while not _holds_a_file_in(process.pid, place.settings.landing_dir):
                assert time.monotonic() < end, "the pipe was never kept"
                time.sleep(0.05)
        finally:
            process.kill()
    assert list(place.settings.landing_dir.rglob("*")) == []


def _holds_a_file_in(pid: int, directory: Path) -> bool:
    return any(directory in _target(link).parents for link in Path(f"/proc/{pid}/fd").iterdir())


def _target(link: Path) -> Path:
    """What a descriptor is open on; nothing if the process has closed it since it was listed."""
    try:
        return link.readlink()
    except FileNotFoundError:
        return Path()
