"""A damaged archive is named, and nothing is built on it; the rest goes on."""

import errno
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import polars as pl
import pytest

from audience_pipeline.errors import StorageError
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import DISTRIBUTIONS
from audience_pipeline_tests.retention.attic import ANN, BOB, Attic, ended, ids
from audience_pipeline_tests.storage.builders import uuid


@pytest.fixture
def half(on_files: Attic) -> Attic:
    """A row of each of two users archived, and another of each that is old by now."""
    on_files.put(ended(1), ended(2, user=BOB))
    on_files.through()
    on_files.put(ended(3), ended(4, user=BOB))
    return on_files


def file_of(attic: Attic, user: str) -> Path:
    assert isinstance(attic.store, ParquetStore)
    (path,) = (attic.store.root / "distributions_archive" / f"user_id={user}").rglob("*.parquet")
    return path


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def changed(path: Path) -> None:
    pl.read_parquet(path).with_columns(pl.lit("completed").alias("status")).write_parquet(path)


def emptied(path: Path) -> None:
    pl.read_parquet(path).clear().write_parquet(path)


@pytest.mark.parametrize("damage", [cut, changed, emptied], ids=lambda each: each.__name__)
def test_nothing_is_archived_to_a_damaged_file_and_the_others_are(half: Attic, damage: Callable[[Path], None]) -> None:
    damage(file_of(half, ANN))
    before = file_of(half, ANN).read_bytes()
    result = half.archive()
    assert (result.copied, [each.user_id for each in half.damaged]) == (1, [ANN])
    assert (file_of(half, ANN).read_bytes(), half.live) == (before, ids(3, 4))
    assert ANN in str(half.damaged[0])
    assert {each.kind for each in half.verified()} & {"archive", "unreadable file"}


def test_a_changed_archive_is_named_by_verify_and_not_repaired(half: Attic) -> None:
    changed(file_of(half, ANN))
    for repair in (False, True):
        (finding,) = [each for each in half.verified(repair=repair) if each.kind == "archive"]
        assert (ANN in finding.object, finding.repaired) == (True, False)
    assert half.restore(1)[0].outcome == "refused"


def test_a_lost_archive_file_is_named(half: Attic) -> None:
    file_of(half, ANN).unlink()
    assert "missing file" in {each.kind for each in half.verified()}


def test_rows_the_manifest_knows_nothing_of_are_taken_by_a_repair(half: Attic) -> None:
    assert isinstance(half.store, ParquetStore)
    for path in (half.store.root / "archive_manifest").rglob("*.parquet"):
        pl.read_parquet(path).clear().write_parquet(path)
    half.store.verify(repair=True)
    half.archive()
    assert [each.user_id for each in half.damaged] == [ANN, BOB]
    assert {each.repaired for each in half.verified(repair=True) if each.kind == "archive"} == {True}
    assert half.archive().copied == 2
    assert half.damaged == []
    assert half.archived == ids(1, 2, 3, 4)


def test_a_row_whose_archived_copy_is_damaged_does_not_leave(half: Attic) -> None:
    half.archive()
    changed(file_of(half, ANN))
    half.clock.pass_by(minutes=61)
    half.archive()
    assert half.live == ids(3)
    assert not half.store.placements(DISTRIBUTIONS, [uuid(3)])[uuid(3)].archived


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("time", range(1, 6))
def test_a_full_disk_ends_a_run_with_its_reason_and_the_next_run_finishes(
    on_files: Attic, monkeypatch: pytest.MonkeyPatch, call: str, time: int
) -> None:
    on_files.put(ended(1), ended(2, user=BOB))
    original: Callable[..., object] = getattr(os, call)
    calls = count(1)

    def full(*arguments: object, **options: object) -> object:
        if next(calls) >= time:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(StorageError, match="no space left"):
            on_files.archive()
    assert on_files.live == ids(1, 2)
    assert on_files.verified() == []
    on_files.through()
    assert (on_files.live, on_files.archived) == (set(), ids(1, 2))
    assert on_files.verified() == []
