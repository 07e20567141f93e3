"""Landed records are read back in groups of bounded size that never split a user's month."""

from collections import defaultdict

import pytest

from audience_pipeline.storage.parquet import parts
from audience_pipeline.tables import AUDIENCES, POSITION, USERS
from audience_pipeline_tests.ingest.builders import audience, user
from audience_pipeline_tests.ingest.conftest import Place


@pytest.mark.parametrize("limit", [1_500, 4_000, 10**9])
def test_no_group_splits_a_users_month_and_none_loses_a_record(
    place: Place, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(parts, "GROUP_BYTES", limit)
    for first in (0, 30):
        records = [
            audience(first + n, user_id=f"user{n % 7}", created_at=f"2025-0{1 + n % 3}-01T00:00:00Z") for n in range(30)
        ]
        place.drop("audiences", f"{first}.ndjson", records)
    entries = [file.entry for file in place.land()]
    numbers = [entry.number for entry in entries if entry is not None]
    groups = [group.to_pylist() for group in place.store.landing.groups(AUDIENCES, numbers)]
    homes: dict[tuple[str, int], set[int]] = defaultdict(set)
    for index, group in enumerate(groups):
        for row in group:
            homes[row["user_id"], row["created_at"].month].add(index)
    assert all(len(found) == 1 for found in homes.values())
    everything = sorted(row[POSITION] for group in groups for row in group)
    assert everything == place.store.landing.read(AUDIENCES).column(POSITION).to_pylist()
    assert (len(groups) > 1) == (limit < 10**9)
    assert not list((place.settings.data_dir / "_state" / "staging").iterdir())


def test_a_table_without_months_is_split_by_user(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "GROUP_BYTES", 200)
    place.ingest("users", [user(f"user{n}", organization="x") for n in range(20)])
    assert len(place.rows("users")) == 20
    assert place.ingest("users", [user(f"user{n}", organization="y") for n in range(20)]).updated == 20
    assert place.store.landing.read(USERS).num_rows == 40
