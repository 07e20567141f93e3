"""The state can be lost, damaged or newer than the program, and the data survives it; so do writes without room."""

import errno
import os
import resource
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from audience_pipeline.errors import StorageError, UsageError
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, PLATFORMS, STORED, USERS
from audience_pipeline.tables.landed import LINES_PER_FILE
from audience_pipeline_tests.storage.builders import (
    JUNE,
    MAY,
    NOW,
    Row,
    audience,
    distribution_of,
    frame,
    move,
    platform,
    put,
    put_references,
    stored,
    user,
    uuid,
)
from audience_pipeline_tests.storage.writer import PROCESSES, check_whole, start

NOBODY = 65_534
MEGABYTE = 2**20


def fill(store: ParquetStore) -> None:
    """Put rows into several tables, one of them archived."""
    put_references(store, "ann", "b/%")
    put(store, AUDIENCES, audience(1), audience(2, created_at=JUNE), audience(3, user_id="b/%"))
    put(store, PLATFORMS, platform(1))
    put(store, USERS, user("ann"), user("b/%"))
    put(store, DISTRIBUTIONS, *(distribution_of("ann", number, status="failed") for number in (1, 2, 3)))
    move(store, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, [uuid(1), uuid(2)], {"archived_at": NOW})


def content(store: ParquetStore) -> dict[str, object]:
    """Return all the store knows: rows, digests, and where each key lives."""
    found: dict[str, object] = {}
    for table in STORED:
        rows = stored(store, table)
        found[table.name] = (rows, store.digests(table), store.placements(table, list(rows)))
    return found


def state_files(root: Path) -> list[Path]:
    return sorted((root / "_state").glob("store.sqlite*"))


@pytest.fixture
def closed(root: Path) -> dict[str, object]:
    """Fill a store and close it; return its content."""
    with ParquetStore(root, clock=lambda: NOW) as store:
        fill(store)
        return content(store)


def test_a_deleted_state_is_rebuilt_from_the_files(root: Path, closed: dict[str, object]) -> None:
    for path in state_files(root):
        path.unlink()
    with ParquetStore(root) as store:
        assert content(store) == closed
        assert store.upsert(AUDIENCES, frame(AUDIENCES, [audience(1)])).unchanged == 1
        assert store.upsert(DISTRIBUTIONS, frame(DISTRIBUTIONS, [distribution_of("ann", 1)])).refused
        check_whole(store)


@pytest.mark.parametrize("damage", ["garbage", "half", "one page", "nothing"])
def test_a_damaged_state_is_set_aside_and_rebuilt(root: Path, closed: dict[str, object], damage: str) -> None:
    path = root / "_state" / "store.sqlite"
    whole = path.read_bytes()
    broken = {
        "garbage": b"not a database" * 999,
        "half": whole[: len(whole) // 2],
        "one page": bytes(100) + whole[100:],
        "nothing": b"",
    }
    path.write_bytes(broken[damage])
    with ParquetStore(root) as store:
        assert content(store) == closed
        check_whole(store)
    (aside,) = (root / "_state").glob("store.damaged-*")
    assert aside.read_bytes()[:50] == broken[damage][:50]


def test_a_state_of_a_newer_format_is_left_alone_and_says_so(root: Path, closed: dict[str, object]) -> None:
    path = root / "_state" / "store.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE meta SET value = 99 WHERE name = 'format'")
    for _ in range(2):
        with pytest.raises(UsageError, match="store format 99") as caught:
            ParquetStore(root)
        assert "release" in caught.value.remedy
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE meta SET value = 1 WHERE name = 'format'")
    with ParquetStore(root) as store:
        assert content(store) == closed


def test_an_upsert_is_two_commits_and_has_its_place_in_the_order_of_arrival(parquet: ParquetStore) -> None:
    statements: list[str] = []
    parquet._core.state._db.set_trace_callback(statements.append)
    put(parquet, USERS, user("ann", email="first@example.com"))
    parquet._core.state._db.set_trace_callback(None)
    assert statements.count("COMMIT") == 2
    landed = parquet.landing.open_file(USERS, "digest", "a.ndjson").number * LINES_PER_FILE + 1
    put(parquet, USERS, user("ann", email="second@example.com", landed_position=landed))
    assert parquet.upsert(USERS, frame(USERS, [user("ann", email="old@example.com", landed_position=1)])).stale == 1
    put(parquet, USERS, user("ann", email="third@example.com"))
    assert stored(parquet, USERS)["ann"]["email"] == "third@example.com"
    assert parquet.landing.open_file(USERS, "other", "b.ndjson").number * LINES_PER_FILE > landed + LINES_PER_FILE


def open_and_tell(root: Path, answer: Connection) -> None:
    """Open the store at once with others and tell how many rows there are."""
    with ParquetStore(root) as store:
        answer.send(len(stored(store)))


@pytest.mark.parametrize("lost", [True, False], ids=["state lost", "no store yet"])
def test_processes_that_open_at_once_all_get_a_whole_store(root: Path, *, lost: bool) -> None:
    if lost:
        with ParquetStore(root, clock=lambda: NOW) as store:
            fill(store)
        for path in state_files(root):
            path.unlink()
    pipes = [PROCESSES.Pipe(duplex=False) for _ in range(6)]
    for _, answer in pipes:
        start(open_and_tell, root, answer)
        answer.close()
    assert [question.recv() for question, _ in pipes] == [5 if lost else 0] * 6
    with ParquetStore(root) as store:
        check_whole(store)


def test_a_state_lost_while_others_have_the_store_open_is_theirs_still(parquet: ParquetStore) -> None:
    fill(parquet)
    with ParquetStore(parquet.root) as second:
        put(second, AUDIENCES, audience(9))
    assert uuid(9) in stored(parquet)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Act as a user without rights, where the tests run as root."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_data_directory_is_a_clear_error_and_stays_as_it_is() -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "data"
        with ParquetStore(root) as store:
            put(store, AUDIENCES, audience())
        paths = [Path(directory), *Path(directory).rglob("*")]
        for path in paths:
            path.chmod(0o555 if path.is_dir() else 0o444)
        with as_nobody(), pytest.raises(StorageError, match="no permission") as caught:
            ParquetStore(root)
        assert str(root) in caught.value.object
        for path in paths:
            path.chmod(0o700)
        with ParquetStore(root) as store:
            assert set(stored(store)) == {uuid(1)}


@pytest.mark.parametrize("below", [".", "data"])
def test_a_file_in_place_of_the_data_directory_is_a_clear_error(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="found a file in the place of a directory, expected a directory"):
        ParquetStore(tmp_path / "file" / below)


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """Let no file of this process grow beyond a limit: the system's own refusal in the middle of a write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def large(number: int) -> Row:
    """Return an audience whose file does not compress below two megabytes."""
    return audience(number, original_query=os.urandom(2 * MEGABYTE).hex())


def check_survived(store: TableStore, row: Row) -> None:
    """The failed write left nothing behind; the retry works."""
    assert set(stored(store)) == {uuid(1)}
    assert [finding for finding in store.verify() if not finding.harmless] == []
    put(store, AUDIENCES, row)
    assert set(stored(store)) == {uuid(1), row["audience_id"]}


def test_a_write_that_is_cut_short_leaves_the_store_whole(parquet: ParquetStore) -> None:
    put(parquet, AUDIENCES, audience(1))
    row = large(2)
    with file_size_limit(MEGABYTE), pytest.raises(StorageError):
        parquet.upsert(AUDIENCES, frame(AUDIENCES, [row]))
    assert list((parquet.root / "_state" / "staging").iterdir()) == []
    check_survived(parquet, row)


@pytest.mark.parametrize(
    ("call", "created"),
    [("fsync", MAY), ("replace", MAY), ("mkdir", MAY), ("fsync", JUNE), ("replace", JUNE), ("makedirs", JUNE)],
)
def test_a_full_disk_at_any_call_leaves_the_store_whole(
    parquet: ParquetStore, monkeypatch: pytest.MonkeyPatch, call: str, created: object
) -> None:
    put(parquet, AUDIENCES, audience(1))
    row = audience(2, created_at=created)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(StorageError, match="no space left"):
            parquet.upsert(AUDIENCES, frame(AUDIENCES, [row]))
    check_survived(parquet, row)


def test_a_closed_store_can_be_opened_again_and_again(root: Path) -> None:
    for number in range(5):
        with ParquetStore(root) as store:
            put(store, AUDIENCES, audience(number))
    with ParquetStore(root) as store:
        assert len(stored(store)) == 5
