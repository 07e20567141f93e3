"""How far a verb reaches: the files it needs and no others, however large the store; and in which order it syncs."""

import os
from pathlib import Path

import pytest

from audience_pipeline.errors import CorruptionError
from audience_pipeline.storage.contract import Change, Query
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE
from audience_pipeline_tests.storage.builders import (
    JULY,
    JUNE,
    MAY,
    NOW,
    audience,
    distribution,
    frame,
    move,
    put,
    uuid,
)


@pytest.fixture
def mined(parquet: ParquetStore) -> ParquetStore:
    """A store in which every file but those of user123's May cannot be read."""
    for table, row in ((AUDIENCES, audience), (DISTRIBUTIONS, distribution)):
        rows = [row(1), row(2, created_at=JUNE), row(3, user_id="other"), row(4, user_id="other", created_at=JULY)]
        put(parquet, table, *rows)
        for path in map(Path, parquet.files(table)):
            if not ("user_id=user123" in path.parts and "month=05" in path.parts):
                path.write_bytes(b"whoever reads this fails")
    with pytest.raises(CorruptionError):
        parquet.read(AUDIENCES)
    return parquet


def test_a_read_opens_the_files_of_its_user_and_months_only(mined: ParquetStore) -> None:
    for query in (
        Query(user_id="user123", months=(202505, 202505)),
        Query(user_id="user123", until=JUNE.replace(day=1, hour=0, minute=0, second=0, microsecond=0)),
        Query(user_id="user123", since=MAY, until=MAY.replace(day=30)),
    ):
        assert mined.read(AUDIENCES, query).column("audience_id").to_pylist() == [uuid(1)]


def test_a_lookup_by_key_opens_one_file(mined: ParquetStore) -> None:
    assert mined.get(AUDIENCES, [uuid(1)]).num_rows == 1
    assert mined.get(AUDIENCES, [uuid(99)]).num_rows == 0
    assert len(mined.placements(AUDIENCES, [uuid(number) for number in range(5)])) == 4


def test_a_write_opens_the_files_it_changes_only(mined: ParquetStore) -> None:
    put(mined, AUDIENCES, audience(1, name="b", updated_at=NOW), audience(5), audience(6, user_id="new"))
    claim = Change(uuid(1), {"status": "scheduled"}, {"status": "completed"})
    assert mined.transition(DISTRIBUTIONS, [claim]).won
    assert move(mined, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, [uuid(1)], {"archived_at": NOW}).moved


def test_a_record_that_would_move_a_key_is_refused_without_opening_its_file(mined: ParquetStore) -> None:
    result = mined.upsert(AUDIENCES, frame(AUDIENCES, [audience(2), audience(3)]))
    assert [refused.key for refused in result.refused] == [uuid(2), uuid(3)]


def test_opening_a_store_opens_no_file(mined: ParquetStore) -> None:
    with ParquetStore(mined.root) as store:
        assert store.get(AUDIENCES, [uuid(1)]).num_rows == 1


@pytest.mark.parametrize("rows", [3, 40], ids=["few files", "many files"])
def test_a_file_is_synced_before_it_is_renamed_and_its_directory_after(
    parquet: ParquetStore, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    calls: list[tuple[str, str]] = []
    sync, replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        calls.append(("sync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        sync(descriptor)

    def rename(source: str, target: str) -> None:
        calls.append(("rename", os.fspath(source)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", rename)
    monkeypatch.setattr(
        "audience_pipeline.storage.parquet.durable._sync_file_system", lambda _: calls.append(("sync", ""))
    )
    put(parquet, AUDIENCES, *(audience(number, user_id=f"u{number}") for number in range(rows)))
    renames = [at for at, (call, _) in enumerate(calls) if call == "rename"]
    assert len(renames) == rows
    before, after = calls[: renames[0]], {path for _, path in calls[renames[-1] + 1 :]}
    if rows > 24:
        assert (before, after) == ([("sync", "")], {""})
        return
    assert before == [("sync", calls[at][1]) for at in renames]
    homes = [Path(path).parent for path in parquet.files(AUDIENCES)]
    assert {str(each) for home in homes for each in (home, *home.parents[:4])} <= after
