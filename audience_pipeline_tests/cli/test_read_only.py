"""Reading where nothing can be written: a read-only data directory, and none at all."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from audience_pipeline.settings import variable
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES
from audience_pipeline_tests.cli.conftest import Command
from audience_pipeline_tests.queries.world import ANA, audience, day, populate, put, uid
from audience_pipeline_tests.storage.test_state import as_nobody

READS = (
    ("query", "user-audiences", "--user-id", ANA),
    ("query", "audience-detail", "--audience-id", uid(1)),
    ("sql", "SELECT count(*) AS n FROM audiences"),
    ("verify",),
)


def left_open(data: Path) -> None:
    """Leave the state as a killed writer does: with a log whose changes are nowhere else."""
    state = data / "_state"
    with ParquetStore(data) as store:
        put(store, AUDIENCES, audience(40, ANA, day(1)))
        shutil.copytree(state, data / "kept")
    shutil.rmtree(state)
    (data / "kept").rename(state)
    (state / "store.sqlite-shm").unlink()


def damage(data: Path) -> None:
    (data / "_state" / "store.sqlite").write_bytes(b"not a database")


def zero_a_page(data: Path) -> None:
    """Damage the key index where opening the state does not look."""
    state = data / "_state" / "store.sqlite"
    with closing(sqlite3.connect(state)) as connection:
        (root_page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'keys'").fetchone()
    whole = bytearray(state.read_bytes())
    whole[(root_page - 1) * 4096 : root_page * 4096] = bytes(4096)
    state.write_bytes(whole)


def forget_state(data: Path) -> None:
    shutil.rmtree(data / "_state")


def forget_catalog(data: Path) -> None:
    (data / "catalog.duckdb").unlink()


def nothing(_: Path) -> None:
    pass


@contextmanager
def read_only(directory: Path) -> Iterator[list[tuple[Path, int]]]:
    """Take the right to write from everybody, and act as one who has only the others' rights."""
    paths = [directory, *directory.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        with as_nobody():
            yield [(path, path.stat().st_mtime_ns) for path in paths]
    finally:
        for path in paths:
            path.chmod(0o700)


@pytest.fixture
def shared(command: Command, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data directory below one that everybody may enter."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        monkeypatch.setenv(variable("data_dir"), str(directory / "data"))
        monkeypatch.setenv(variable("landing_dir"), str(directory / "landing"))
        with ParquetStore(directory / "data") as store:
            populate(store)
        assert command("migrate").exit_code == 0
        yield directory


@pytest.mark.parametrize("change", [nothing, left_open, damage, zero_a_page, forget_state, forget_catalog])
def test_every_read_works_in_a_read_only_directory_and_leaves_it_alone(
    command: Command, shared: Path, change: Callable[[Path], None]
) -> None:
    change(shared / "data")
    with read_only(shared) as before:
        results = [command(*arguments, "--format", "json") for arguments in READS]
        assert [(path, path.stat().st_mtime_ns) for path in [shared, *shared.rglob("*")]] == before
    assert [result.exit_code for result in results] == [0] * 4, [result.stderr for result in results]
    added = int(change is left_open)
    assert [len(json.loads(result.stdout)) for result in results] == [3 + added, 1, 1, 0]
    assert json.loads(results[2].stdout) == [{"n": 5 + added}]


def test_a_writer_at_work_does_not_keep_a_reader_from_reading(command: Command, shared: Path) -> None:
    with ParquetStore(shared / "data") as store:
        put(store, AUDIENCES, audience(41, ANA, day(1)))
        with read_only(shared):
            result = command(*READS[0], "--format", "json")
        assert len(json.loads(result.stdout)) == 4
        put(store, AUDIENCES, audience(42, ANA, day(1)))


def test_a_state_that_alone_is_read_only_is_read(command: Command, shared: Path) -> None:
    for path in [shared, *shared.rglob("*")]:
        path.chmod(0o777)
    with read_only(shared / "data" / "_state") as before:
        result = command(*READS[0], "--format", "json")
        assert [(path, path.stat().st_mtime_ns) for path, _ in before] == before
    assert len(json.loads(result.stdout)) == 3


def test_a_data_directory_that_may_not_be_read_is_a_clear_error(command: Command, shared: Path) -> None:
    for path in (shared, shared / "data"):
        path.chmod(0o711)
    with as_nobody():
        results = [command(*arguments) for arguments in READS]
    for result in results:
        assert result.exit_code == 1
        assert f"{shared / 'data'}" in " ".join(result.stderr.split())
        assert "found no permission, expected access for this user" in " ".join(result.stderr.split())


def test_a_user_directory_that_may_not_be_entered_is_a_clear_error(command: Command, shared: Path) -> None:
    for path in [shared, *shared.rglob("*")]:
        path.chmod(0o777)
    locked = shared / "data" / "audiences" / f"user_id={ANA}"
    locked.chmod(0)
    with as_nobody():
        results = [command(*arguments) for arguments in (*READS[:2], ("verify",))]
    locked.chmod(0o700)
    assert [result.exit_code for result in results] == [1] * 3
    assert all("found no permission" in " ".join(result.stderr.split()) for result in results)


def test_locks_that_may_not_be_taken_are_a_clear_error(command: Command, shared: Path) -> None:
    for path in [shared, *shared.rglob("*")]:
        path.chmod(0o777)
    (shared / "data" / "_state" / "locks").chmod(0o444)
    with as_nobody():
        result = command("vacuum")
    assert result.exit_code == 1
    assert "_state/locks: found no permission" in " ".join(result.stderr.split())


@pytest.mark.parametrize("arguments", [*READS, ("verify", "--repair"), ("vacuum",)])
def test_a_data_directory_that_is_not_there_is_not_made(
    command: Command, data_dir: Path, arguments: tuple[str, ...]
) -> None:
    result = command(*arguments)
    assert result.exit_code == 2
    message = " ".join(result.stderr.split())
    assert f"{data_dir}: found no such directory, expected the data directory." in message
    assert "run `audience-pipeline migrate` to make it" in message
    assert not data_dir.exists()


def test_a_damaged_state_is_told_by_verify_and_mended_by_its_repair(command: Command, stored: Path) -> None:
    zero_a_page(stored)
    told = command("verify", "--format", "json")
    assert (told.exit_code, [finding["kind"] for finding in json.loads(told.stdout)]) == (1, ["state"])
    mended = command("verify", "--repair", "--format", "json")
    assert mended.exit_code == 0
    assert all(finding["harmless"] for finding in json.loads(mended.stdout))
    assert json.loads(command("query", "audience-detail", "--audience-id", uid(1), "--format", "json").stdout)
