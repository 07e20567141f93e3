"""A state that is damaged anywhere is set aside and rebuilt; one of a newer format is not touched."""

import random
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from audience_pipeline.errors import CorruptionError, StorageError, UsageError
from audience_pipeline.storage.parquet import opening
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, Table
from audience_pipeline_tests.storage.builders import (
    JUNE,
    MAY,
    NOW,
    audience,
    distribution_of,
    put,
    put_references,
    uuid,
)
from audience_pipeline_tests.storage.test_state import content, fill
from audience_pipeline_tests.storage.writer import PROCESSES, check_whole, start

PAGE = 4096
ROWS = 1500


@dataclass(frozen=True)
class Sound:
    """A closed store whose state has many pages: its directory, the state's bytes, and its content."""

    root: Path
    whole: bytes
    known: dict[str, object]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    root = tmp_path_factory.mktemp("made") / "data"
    with ParquetStore(root, clock=lambda: NOW) as store:
        fill(store)
        put(store, AUDIENCES, *(audience(n, created_at=MAY if n % 2 else JUNE) for n in range(100, 100 + ROWS)))
        known = content(store)
    return Sound(root, state(root).read_bytes(), known)


@pytest.fixture
def sound(made: Sound, root: Path) -> Sound:
    """One of each test's own."""
    shutil.copytree(made.root, root)
    return replace(made, root=root)


def state(root: Path) -> Path:
    return root / "_state" / "store.sqlite"


def aside(root: Path) -> list[Path]:
    return sorted((root / "_state").glob("store.damaged-*"))


def damaged(whole: bytes, seed: int) -> bytes:
    """Overwrite one page, or a run of them, with zeros or noise."""
    draw = random.Random(seed)  # noqa: S311 - a reproducible sequence
    first = draw.randrange(len(whole) // PAGE)
    length = min(draw.choice([1, 1, 3]) * PAGE, len(whole) - first * PAGE)
    content = bytes(length) if draw.random() < 0.5 else draw.randbytes(length)
    return whole[: first * PAGE] + content + whole[first * PAGE + length :]


@pytest.mark.parametrize("seed", range(10))
def test_whatever_page_is_overwritten_the_content_comes_back(sound: Sound, seed: int) -> None:
    root, whole, known = sound.root, sound.whole, sound.known
    state(root).write_bytes(damaged(whole, seed))
    with suppress(CorruptionError), ParquetStore(root) as store:
        assert {finding.kind for finding in store.verify()} <= {"state", "leftover"}
    with ParquetStore(root) as store:
        assert content(store) == known
        check_whole(store)
    assert len(aside(root)) <= 1


def damaged_in_the_middle(sound: Sound) -> Path:
    """Zero a page of the key index that opening the store does not read."""
    root, whole = sound.root, sound.whole
    middle = whole.index(uuid(100 + ROWS // 2).encode()) // PAGE * PAGE
    state(root).write_bytes(whole[:middle] + bytes(PAGE) + whole[middle + PAGE :])
    return root


def test_damage_found_in_use_is_mended_by_the_next_to_open_the_store(
    sound: Sound, caplog: pytest.LogCaptureFixture
) -> None:
    root = damaged_in_the_middle(sound)
    broken = state(root).read_bytes()
    with ParquetStore(root) as store, pytest.raises(CorruptionError, match="Run again: it is rebuilt from the data"):
        store.placements(AUDIENCES, [uuid(100 + number) for number in range(ROWS)])
    with ParquetStore(root) as store:
        assert content(store) == sound.known
    assert aside(root)[0].read_bytes() == broken
    assert f"kept as {aside(root)[0].name}, and rebuilt" in caplog.text
    with ParquetStore(root) as store:
        assert store.verify()[-1].harmless
        put(store, AUDIENCES, audience(99))
    with ParquetStore(root) as store:
        assert store.placements(AUDIENCES, [uuid(99)])


def rebuild_and_tell(root: Path, answer: object) -> None:
    with ParquetStore(root) as store:
        answer.send(len(store.placements(AUDIENCES, [uuid(100 + number) for number in range(ROWS)])))  # type: ignore[attr-defined]


def test_processes_that_meet_a_damaged_state_rebuild_it_once(sound: Sound) -> None:
    root = damaged_in_the_middle(sound)
    with ParquetStore(root) as store:
        assert store.verify()[0].kind == "state"
    pipes = [PROCESSES.Pipe(duplex=False) for _ in range(5)]
    for _, answer in pipes:
        start(rebuild_and_tell, root, answer)
        answer.close()
    assert [question.recv() for question, _ in pipes] == [ROWS] * 5
    assert len(aside(root)) == 1


def test_nothing_is_rebuilt_under_somebody_who_has_the_store_open(
    sound: Sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = damaged_in_the_middle(sound)
    monkeypatch.setattr(opening, "_PATIENCE_SECONDS", 0.2)
    with ParquetStore(root) as first:
        assert first.verify()[0].kind == "state"
        with pytest.raises(StorageError, match="other processes that have the store open"):
            ParquetStore(root)
        assert aside(root) == []
        assert first.placements(AUDIENCES, [uuid(1)])
    with ParquetStore(root) as store:
        assert content(store) == sound.known


def test_a_log_beside_a_lost_state_is_not_taken_for_the_new_ones(root: Path) -> None:
    with ParquetStore(root, clock=lambda: NOW) as store:
        fill(store)
        known = content(store)
        log = state(root).with_name("store.sqlite-wal").read_bytes()
    state(root).unlink()
    state(root).with_name("store.sqlite-wal").write_bytes(log)
    with ParquetStore(root) as store:
        assert content(store) == known


def test_a_state_of_a_newer_format_is_not_written_to(root: Path) -> None:
    with ParquetStore(root):
        pass
    with closing(sqlite3.connect(state(root), isolation_level=None)) as connection:
        connection.execute("UPDATE meta SET value = 99 WHERE name = 'format'")
        connection.execute("DROP TABLE ledger")
        connection.execute("PRAGMA journal_mode = DELETE")
    before = state(root).read_bytes()
    with pytest.raises(UsageError, match="found store format 99, expected format 2"):
        ParquetStore(root)
    assert state(root).read_bytes() == before
    assert sorted(path.name for path in state(root).parent.glob("store.sqlite*")) == ["store.sqlite"]


@pytest.mark.parametrize("table", [AUDIENCES, DISTRIBUTIONS])
def test_a_damaged_data_file_does_not_keep_a_lost_state_from_being_rebuilt(root: Path, table: Table) -> None:
    with ParquetStore(root, clock=lambda: NOW) as store:
        put_references(store, "ann")
        put(store, AUDIENCES, audience(1), audience(2, created_at=JUNE))
        put(store, DISTRIBUTIONS, distribution_of("ann", 1), distribution_of("ann", 2, created_at=JUNE))
    (june,) = root.rglob(f"{table.name}_2025_06.parquet")
    june.write_bytes(b"not Parquet")
    state(root).unlink()
    with ParquetStore(root) as store:
        assert [(finding.kind, finding.object) for finding in store.verify()] == [("unreadable file", str(june))]
        assert store.get(table, [uuid(1)]).num_rows == 1
        with pytest.raises(CorruptionError):
            store.read(table)
