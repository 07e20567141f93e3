"""Files that cannot be landed: each named in an error, none of it landed, and the others go on."""

import gzip
import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from audience_pipeline.errors import SecurityError, StorageError, UsageError
from audience_pipeline.ingest.sources import identify, opened
from audience_pipeline.tables import AUDIENCES
from audience_pipeline_tests.ingest.builders import audience, line, platform, write
from audience_pipeline_tests.ingest.conftest import Place

NOBODY = 65534


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A directory of a user for whom permissions count, which they do not for root."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "own").mkdir()
        privileged = os.geteuid() == 0
        if privileged:
            os.chown(directory / "own", NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield directory / "own"
        finally:
            if privileged:
                os.seteuid(0)


def broken_gzip(path: Path) -> Path:
    path.write_bytes(gzip.compress(b"".join(line(audience(number)) + b"\n" for number in range(500)))[:-100])
    return path


def directory(path: Path) -> Path:
    path.mkdir()
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


UNREADABLE = {
    "broken gzip": (broken_gzip, "bad.ndjson.gz", StorageError, "a broken gzip archive"),
    "no gzip": (lambda path: write(path, [audience()]), "bad.ndjson.gz", StorageError, "a broken gzip archive"),
    "a directory": (directory, "bad.ndjson", UsageError, "a directory"),
    "nothing": (lambda path: path, "bad.ndjson", StorageError, "nothing there"),
    "a pipe": (pipe, "bad.ndjson", UsageError, "no regular file"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_an_unreadable_file_is_named_and_does_not_stop_the_others(place: Place, tmp_path: Path, case: str) -> None:
    make, name, kind, found = UNREADABLE[case]
    bad = make(tmp_path / name)
    good = write(tmp_path / "good.ndjson", [audience(1000)])
    report = place.ingest_file("audiences", bad, good)
    assert (report.inserted, report.rejected) == (1, 0)
    (error,) = report.errors
    assert isinstance(error, kind)
    assert (error.object, error.found.startswith(found)) == (str(bad), True)
    assert place.entries() == []


def test_a_file_without_permission_is_named(unprivileged: Path) -> None:
    place = Place(unprivileged)
    path = write(unprivileged / "sent" / "a.ndjson", [audience()])
    path.chmod(0)
    (error,) = place.ingest_file("audiences", path).errors
    assert (error.object, error.found) == (str(path), "no permission")
    place.store.close()


def test_a_data_directory_that_cannot_be_written_is_named_and_loses_nothing(unprivileged: Path) -> None:
    place = Place(unprivileged)
    path = place.drop("audiences", "a.ndjson", [audience()])
    locked = unprivileged / "data" / "landed_audiences"
    locked.mkdir(mode=0o500)
    (file,) = place.land()
    assert isinstance(file.error, StorageError)
    assert "no permission" in str(file.error)
    assert path.exists()
    locked.chmod(0o700)
    (file,) = place.land()
    assert (file.error, file.accepted, path.exists()) == (None, 1, False)
    assert place.store.landing.read(AUDIENCES).num_rows == 1
    place.store.close()


def test_a_link_in_the_landing_directory_is_not_followed(place: Place, tmp_path: Path) -> None:
    target = write(tmp_path / "elsewhere.ndjson", [audience()])
    place.drop("audiences", "b.ndjson", [audience(2)])
    (place.settings.landing_dir / "audiences" / "a.ndjson").symlink_to(target)
    linked, file = place.land()
    assert isinstance(linked.error, UsageError)
    assert linked.error.found == "a symbolic link"
    assert file.accepted == 1


def test_a_file_with_plaintext_credentials_stays_and_nothing_of_it_is_landed_or_copied(place: Place) -> None:
    secret = platform(2, credentials={"api_key": "hunter2-hunter2", "account_id": "a"})
    path = place.drop("platforms", "p.ndjson", [platform(1), secret, b"broken"])
    content = path.read_bytes()
    (file,) = place.land()
    assert isinstance(file.error, SecurityError)
    assert "line 2" in file.error.found
    assert "hunter2" not in str(file.error)
    assert path.read_bytes() == content
    assert place.entries() == []
    copies = [each for each in place.directory.rglob("*") if each.is_file() and b"hunter2" in each.read_bytes()]
    assert copies == [path]


def test_a_file_that_grows_while_it_is_read_is_not_landed(place: Place, tmp_path: Path) -> None:
    path = write(tmp_path / "growing.ndjson", [audience(number) for number in range(3)])
    source = identify(path)
    with opened(source) as stream, path.open("ab") as file:
        stream.read(100)
        file.write(line(audience(4)) + b"\n")
        file.flush()
        with pytest.raises(StorageError, match="a file that changed while it was read"):
            list(iter(partial(stream.read, 100), b""))
    with pytest.raises(StorageError, match="a file that changed while it was read"):
        place.landing.land(AUDIENCES, source)
    assert place.store.landing.read(AUDIENCES).num_rows == 0
    assert place.ingest_file("audiences", path).inserted == 4
