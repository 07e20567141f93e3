"""Both backends judge, write and read the same, whatever comes: random batches, many of them in each upsert.

Each statement on BigQuery takes a while, however many rows it has. So hundreds of small histories, each with keys and
users of its own, run side by side: step by step, all their batches together.
"""

import random
from datetime import timedelta
from typing import Any

import pytest

from audience_pipeline.storage.bigquery.store import BigQueryStore
from audience_pipeline.storage.contract import Change, TableStore
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import (
    AUDIENCES,
    DISTRIBUTIONS,
    DISTRIBUTIONS_ARCHIVE,
    PLATFORMS,
    USERS,
    Table,
)
from audience_pipeline_tests.storage.builders import (
    JUNE,
    MAY,
    NOW,
    Row,
    audience,
    distribution,
    frame,
    json,
    move,
    platform,
    sealed,
    stored,
    user,
    uuid,
)

HISTORIES, STEPS = 60, 4
PLACES = (MAY, MAY, MAY, MAY.replace(day=31), JUNE)
TABLES = {table.name: table for table in (USERS, AUDIENCES, PLATFORMS, DISTRIBUTIONS)}
CREDENTIALS = [sealed(platform(1), key) for key in ("one", "two")]
STATUSES = ("scheduled", "scheduled", "scheduled", "scheduled", "processing", "completed", "failed")


class Draw:
    """Rows of one history, whose keys and users no other history has."""

    def __init__(self, seed: int, history: int) -> None:
        self._random = random.Random(f"{seed} {history}")  # noqa: S311 - nothing here is secret
        self._history = history

    def batch(self, table: Table) -> list[Row]:
        """Return up to five rows of up to two keys; often the same again, sometimes of another user or month."""
        return [self._row(table) for _ in range(self._random.randint(0, 5))]

    def _row(self, table: Table) -> Row:
        number = 2 * self._history + self._random.randint(0, 1)
        row: Row = getattr(self, f"_{table.name}")(number)
        if self._random.random() < 0.4:
            row["landed_position"] = self._random.randint(1, 4)
        return row

    def _user(self) -> str:
        return f"u{self._history}{self._random.choice(['', '', '', '/x'])}"

    def _word(self) -> str:
        return self._random.choice(["", "a", "b", "\N{PARTY POPPER}", "it's"])

    def _users(self, number: int) -> Row:
        quota = {"max_audiences": self._random.randint(0, 1), "current_usage": {"n": self._random.choice([1, 2.5])}}
        return user(
            f"u{number}",
            organization=self._word(),
            created_at=self._random.choice([MAY, MAY, JUNE]),
            quota=self._random.choice([None, json(quota)]),
        )

    def _audiences(self, number: int) -> Row:
        return audience(
            number,
            user_id=self._user(),
            created_at=self._random.choice(PLACES),
            updated_at=JUNE + timedelta(milliseconds=self._random.randint(0, 2)),
            name=self._word(),
            selected_variables=self._random.choice([None, [], ["V1"], ["V1", ""]]),
            total_audience_size=self._random.choice([None, 0, 2**63 - 1]),
            metadata=self._random.choice([None, json({"notes": self._word()}), json({"tags": ["a"]})]),
        )

    def _platforms(self, number: int) -> Row:
        return platform(
            number,
            user_id=self._user(),
            updated_at=JUNE + timedelta(milliseconds=self._random.randint(0, 1)),
            name=self._word(),
            credentials=self._random.choice([None, *CREDENTIALS]),
            sync_status=self._random.choice([None, "success"]),
        )

    def _distributions(self, number: int) -> Row:
        moment = self._random.choice([None, None, "2025-05-04T00:00:00Z", "2025-05-04T00:00:00.001Z"])
        said: Row = {"campaign_name": self._word(), "approval_status": self._random.choice(["pending", "approved"])}
        said |= {"cost_estimate": self._random.choice([0.1, 5.0, 1e22])} | ({"updated_at": moment} if moment else {})
        return distribution(
            number,
            user_id=self._user(),
            audience_id=uuid(self._random.choice([1, 1, 1, 2])),
            created_at=self._random.choice(PLACES),
            scheduled_at=self._random.choice([None, JUNE]),
            status=self._random.choice(STATUSES),
            executed_at=self._random.choice([None, JUNE]),
            metadata=self._random.choice([None, json(said), json(said)]),
        )

    def chosen(self, keys: list[str]) -> list[str]:
        """Return some of ``keys``."""
        return [key for key in keys if self._random.random() < 0.2]


def engine_at_work(stores: tuple[TableStore, TableStore], draw: Draw) -> None:
    """Take some distributions further, archive some and restore some, on both backends alike."""
    keys = sorted(stored(stores[0], DISTRIBUTIONS))
    claims = [Change(key, {"status": "scheduled"}, {"status": "processing"}) for key in draw.chosen(keys)]
    moved, ended = draw.chosen(keys), draw.chosen(sorted(stored(stores[0], DISTRIBUTIONS_ARCHIVE)))
    results: list[Any] = []
    for store in stores:
        claimed = store.transition(DISTRIBUTIONS, claims)
        archived = move(store, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, moved, {"archived_at": NOW})
        restored = move(store, DISTRIBUTIONS_ARCHIVE, DISTRIBUTIONS, ended, {})
        results.append((set(claimed.won), claimed.lost, set(archived.moved), archived.left, set(restored.moved)))
    assert results[0] == results[1]


def same(table: Table, parquet: TableStore, bigquery: TableStore, rows: list[Row]) -> None:
    """Judge and upsert the same rows on both backends."""
    given = frame(table, rows)
    for index, (one, other) in enumerate(zip(parquet.judge(table, given), bigquery.judge(table, given), strict=True)):
        assert one == other, f"row {index}: {rows[index]}"
    results = parquet.upsert(table, given), bigquery.upsert(table, given)
    counts = [(each.inserted, each.updated, each.unchanged, each.stale, each.months) for each in results]
    assert counts[0] == counts[1]
    assert sorted(results[0].refused, key=lambda each: each.row) == list(results[1].refused)


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_random_batches_come_to_the_same_on_both_backends(
    parquet: ParquetStore, emulated: BigQueryStore, name: str
) -> None:
    agree(parquet, emulated, TABLES[name], seed=1)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(2, 12))
def test_many_random_batches_come_to_the_same_on_both_backends(
    parquet: ParquetStore, emulated: BigQueryStore, seed: int
) -> None:
    for table in TABLES.values():
        agree(parquet, emulated, table, seed)


@pytest.mark.prove
def test_ten_thousand_rows_over_a_hundred_months_are_one_upsert_on_both_backends(
    parquet: ParquetStore, emulated: BigQueryStore
) -> None:
    months = [MAY.replace(year=2010 + number // 12, month=1 + number % 12) for number in range(100)]
    rows = [audience(number, created_at=months[number % 100], updated_at=MAY) for number in range(10_000)]
    same(AUDIENCES, parquet, emulated, rows)
    digests = emulated.digests(AUDIENCES)
    assert (len(digests), digests) == (100, parquet.digests(AUDIENCES))
    assert emulated.upsert(AUDIENCES, frame(AUDIENCES, rows)).unchanged == 10_000


def agree(parquet: ParquetStore, bigquery: BigQueryStore, table: Table, seed: int) -> None:
    """Run histories on both backends and hold all they say against each other."""
    draws = [Draw(seed, history) for history in range(HISTORIES)]
    for _ in range(STEPS):
        same(table, parquet, bigquery, [row for draw in draws for row in draw.batch(table)])
        if table is DISTRIBUTIONS:
            engine_at_work((parquet, bigquery), Draw(seed, -1))
        keys = [uuid(number) for number in range(2 * HISTORIES)]
        assert parquet.placements(table, keys) == bigquery.placements(table, keys)
        assert stored(parquet, table) == stored(bigquery, table)
    assert parquet.digests(table) == bigquery.digests(table)
    assert [finding for finding in bigquery.verify() if finding.kind != "reference"] == []
