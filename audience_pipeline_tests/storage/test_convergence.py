"""Newest wins, as a property: however records are ordered, split and repeated, the table is the same."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audience_pipeline.storage.contract import Verdict
from audience_pipeline.storage.frames import prepare
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.storage.rules import Merge, merge
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, PLATFORMS, POSITION, USERS, Table
from audience_pipeline.tables.arrow import empty
from audience_pipeline.tables.canonical import content_digest
from audience_pipeline_tests.storage.builders import (
    JUNE,
    MAY,
    NOW,
    Row,
    audience,
    distribution,
    frame,
    json,
    platform,
    sealed,
    user,
)
from audience_pipeline_tests.storage.model import Model

MODELLED = {table.name: table.column_names for table in (USERS, AUDIENCES, PLATFORMS, DISTRIBUTIONS)}
CREATED = (MAY, JUNE, MAY.replace(day=31))
WORDS = st.sampled_from(["", "a", "b", "\N{PARTY POPPER}", "it's", "\n"])
CREDENTIALS = [sealed(platform(1), key) for key in ("one", "two")]


Ways: TypeAlias = tuple[list[list[Row]], list[list[Row]]]
QUICK = settings(max_examples=40)
COUNTED = ("inserted", "refused")


@contextmanager
def fresh_store() -> Iterator[ParquetStore]:
    """Open an empty store; hypothesis needs one for each example, which fixtures do not give."""
    with tempfile.TemporaryDirectory() as directory, ParquetStore(Path(directory), clock=lambda: NOW) as store:
        yield store


@st.composite
def versioned_audience(draw: st.DrawFn) -> Row:
    """Draw one version of one of four audiences: versions and contents tie often, what never changes is fixed."""
    number = draw(st.integers(0, 3))
    return audience(
        number,
        user_id=f"user{number % 2}",
        created_at=CREATED[number % 3],
        updated_at=JUNE + timedelta(milliseconds=draw(st.integers(0, 3))),
        name=draw(WORDS),
        status=draw(st.sampled_from(["draft", "active", "archived"])),
        selected_variables=draw(st.lists(WORDS, max_size=2)),
        total_audience_size=draw(st.none() | st.integers(0, 2**63 - 1)),
        metadata=draw(st.none() | st.builds(lambda note: json({"notes": note}), WORDS)),
    )


@st.composite
def scheduled_distribution(draw: st.DrawFn, version: st.SearchStrategy[int | None]) -> Row:
    """Draw one record of one of three scheduled distributions, which gives a version or none."""
    number = draw(st.integers(0, 2))
    second = draw(version)
    moment = {} if second is None else {"updated_at": f"2025-05-04T00:00:0{second}Z"}
    return distribution(
        number,
        created_at=CREATED[number],
        scheduled_at=draw(st.sampled_from([None, MAY, JUNE])),
        metadata=json({"campaign_name": draw(WORDS), "approval_status": "pending"} | moment),
    )


@st.composite
def versioned_platform(draw: st.DrawFn) -> Row:
    """Draw one version of one platform, its credentials one of two."""
    moment = JUNE + timedelta(milliseconds=draw(st.integers(0, 1)))
    return platform(1, name=draw(WORDS), updated_at=moment, credentials=draw(st.sampled_from(CREDENTIALS)))


@st.composite
def landed_user(draw: st.DrawFn) -> Row:
    """Draw one landed record of one of two users; none has a version."""
    return user(draw(st.sampled_from(["u", "v"])), organization=draw(WORDS), landed_position=draw(st.integers(1, 4)))


def deliveries(record: st.SearchStrategy[Row]) -> st.SearchStrategy[Ways]:
    """Draw records, and two ways to deliver them: each a list of batches that has every record at least once."""
    return st.lists(record, min_size=1, max_size=10).flatmap(lambda rows: st.tuples(delivery(rows), delivery(rows)))


def batches(record: st.SearchStrategy[Row]) -> st.SearchStrategy[list[list[Row]]]:
    """Draw batches of records."""
    return st.lists(st.lists(record, min_size=1, max_size=6), max_size=4)


@st.composite
def delivery(draw: st.DrawFn, rows: list[Row]) -> list[list[Row]]:
    """Draw one way: shuffled, some twice, cut into batches."""
    order = draw(st.permutations(rows + draw(st.lists(st.sampled_from(rows), max_size=3))))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=4)))
    return [order[start:end] for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True) if start < end]


class Merged:
    """One table kept in memory by the rules alone: what a store does, without files and their syncs."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._rows = empty(table).append_column(POSITION, pa.array([], pa.int64()))
        self._position = 2**40

    def upsert(self, table: Table, rows: pa.Table) -> Merge:
        """Merge rows into those kept."""
        self._position += 1
        stored = pl.DataFrame(pl.from_arrow(self._rows))
        merged = merge(table, prepare(table, rows, self._position), stored)
        kept = stored.join(merged.rows, on=table.key, how="anti")
        frame = pl.concat([kept, merged.rows.select(kept.columns)])
        newest = [merged.positions.get(key, old) for key, old in frame.select(table.key, POSITION).iter_rows()]
        frame = frame.with_columns(pl.Series(POSITION, newest, pl.Int64))
        self._rows = frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(self._rows.schema)
        return merged

    def rows(self) -> pa.Table:
        """Return the rows kept."""
        return self._rows.drop_columns([POSITION])


def merged_content(table: Table, batches: list[list[Row]]) -> str:
    """Return the digest of what the rules make of batches."""
    merged = Merged(table)
    for batch in batches:
        assert not merged.upsert(table, frame(table, batch)).problems
    return content_digest(table, merged.rows())


def digests_after(table: Table, batches: list[list[Row]]) -> dict[int, str]:
    """Return what a new store holds once the batches are upserted."""
    with fresh_store() as store:
        for batch in batches:
            assert not store.upsert(table, frame(table, batch)).refused
        return store.digests(table)


@QUICK
@given(deliveries(versioned_audience()))
def test_versioned_records_lead_to_one_table_however_they_come(ways: Ways) -> None:
    assert merged_content(AUDIENCES, ways[0]) == merged_content(AUDIENCES, ways[1])


@QUICK
@given(deliveries(scheduled_distribution(st.integers(0, 2))))
def test_versioned_distributions_lead_to_one_table_however_they_come(ways: Ways) -> None:
    assert merged_content(DISTRIBUTIONS, ways[0]) == merged_content(DISTRIBUTIONS, ways[1])


@QUICK
@given(deliveries(versioned_platform()))
def test_platforms_with_sealed_credentials_lead_to_one_table_however_they_come(ways: Ways) -> None:
    assert merged_content(PLATFORMS, ways[0]) == merged_content(PLATFORMS, ways[1])


@QUICK
@given(deliveries(landed_user()))
def test_records_without_versions_lead_to_the_one_landed_last_however_they_come(ways: Ways) -> None:
    assert merged_content(USERS, ways[0]) == merged_content(USERS, ways[1])


@settings(max_examples=5)
@given(deliveries(versioned_audience()))
def test_stores_that_got_the_same_records_hold_the_same_table(ways: Ways) -> None:
    assert digests_after(AUDIENCES, ways[0]) == digests_after(AUDIENCES, ways[1])


def agree(table: Table, batches: list[list[Row]]) -> None:
    """Hold the rules against the model, batch by batch: the rows, and how many were inserted or refused."""
    model, merged = Model(MODELLED), Merged(table)
    for batch in batches:
        expected = model.upsert(table.name, batch)
        verdicts = list(merged.upsert(table, frame(table, batch)).verdicts.values())
        assert {row[table.key]: row for row in merged.rows().to_pylist()} == model.tables[table.name]
        assert [verdicts.count(Verdict(each)) for each in COUNTED] == [expected.count(each) for each in COUNTED]


@QUICK
@given(batches(versioned_audience()))
def test_the_rules_agree_with_the_model_on_audiences(given_batches: list[list[Row]]) -> None:
    agree(AUDIENCES, given_batches)


@QUICK
@given(batches(scheduled_distribution(st.none() | st.integers(0, 2))))
def test_the_rules_agree_with_the_model_on_distributions(given_batches: list[list[Row]]) -> None:
    agree(DISTRIBUTIONS, given_batches)


@QUICK
@given(batches(landed_user()))
def test_the_rules_agree_with_the_model_on_users(given_batches: list[list[Row]]) -> None:
    agree(USERS, given_batches)


@pytest.mark.prove
def test_thousands_of_deliveries_converge(record_property: Callable[[str, object], None]) -> None:
    examples = 2000

    @settings(max_examples=examples, database=None)
    @given(deliveries(versioned_audience()), batches(scheduled_distribution(st.none() | st.integers(0, 2))))
    def converge(ways: Ways, mixed: list[list[Row]]) -> None:
        assert merged_content(AUDIENCES, ways[0]) == merged_content(AUDIENCES, ways[1])
        agree(DISTRIBUTIONS, mixed)

    converge()
    record_property("deliveries", examples)
