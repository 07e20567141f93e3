"""The access patterns in BigQuery: of the same rows, the same answers as from files, value by value and in order."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

from audience_pipeline.errors import UsageError
from audience_pipeline.queries import PATTERNS, count_archived, run
from audience_pipeline.settings import Settings
from audience_pipeline.storage.bigquery.migration import Migration
from audience_pipeline.storage.bigquery.store import BigQueryStore
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE
from audience_pipeline_tests.queries.crowd import BUSY, INSTANT, ODD, fill, key_of
from audience_pipeline_tests.queries.test_answers import WRONG
from audience_pipeline_tests.queries.world import day, uid
from audience_pipeline_tests.storage.builders import move

pytestmark = pytest.mark.slow

HISTORY = {"user_id": BUSY, "audience_id": key_of(BUSY)}
RECENT = {"user_id": BUSY, "since": day(1)}


class Stores(NamedTuple):
    """The same rows twice."""

    files: ParquetStore
    warehouse: BigQueryStore

    def answer(self, name: str, **parameters: Any) -> pa.Table:  # noqa: ANN401 - as for run
        """Return the answer from BigQuery, which is the one from files."""
        expected = run(self.files, name, **parameters)
        found = run(self.warehouse, name, **parameters)
        assert found.schema == expected.schema
        assert found.to_pylist() == expected.to_pylist()
        return found


@pytest.fixture(scope="module")
def stores(bigquery_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    directory = tmp_path_factory.mktemp("files") / "data"
    with ParquetStore(directory) as files, BigQueryStore(bigquery_settings) as warehouse:
        warehouse.warehouse.client.create_dataset(warehouse.warehouse.dataset)
        Migration(warehouse.warehouse, bigquery_settings).tables(apply_changes=False)
        for store in (files, warehouse):
            fill(store)
        yield Stores(files, warehouse)


def test_every_users_audiences_are_those_from_files(stores: Stores) -> None:
    found = {user: stores.answer("user-audiences", user_id=user) for user in ODD}
    assert [user for user, rows in found.items() if set(rows["user_id"].to_pylist()) - {user}] == []
    assert sum(map(len, found.values())) > len(ODD)


@pytest.mark.parametrize("user", ODD[:2])
def test_an_audience_is_the_one_from_files(stores: Stores, user: str) -> None:
    assert stores.answer("audience-detail", audience_id=key_of(user).upper())["user_id"].to_pylist() == [user]


@pytest.mark.parametrize("user", ODD[:2])
def test_active_platforms_are_those_from_files_and_without_credentials(stores: Stores, user: str) -> None:
    assert "credentials" not in stores.answer("active-platforms", user_id=user).column_names


@pytest.mark.parametrize("user", ODD[:2])
def test_a_history_is_the_one_from_files(stores: Stores, user: str) -> None:
    assert len(stores.answer("distribution-history", user_id=user, audience_id=key_of(user))) >= 3


@pytest.mark.parametrize(
    ("since", "limit"),
    [
        (INSTANT, None),
        (INSTANT - timedelta(microseconds=1), None),
        (INSTANT - timedelta(milliseconds=1), 7),
        (day(1), 1000),
        (datetime(2025, 5, 1, 2, tzinfo=timezone(timedelta(hours=2))), 2**63 - 1),
        (datetime.min.replace(tzinfo=UTC), 1),
        (datetime.max.replace(tzinfo=UTC), 5),
    ],
)
def test_recent_distributions_are_those_from_files(stores: Stores, since: datetime, limit: int | None) -> None:
    stores.answer("recent-distributions", user_id=BUSY, since=since, limit=limit)


def test_rows_of_one_instant_come_in_the_order_of_their_keys_and_fifty_at_most(stores: Stores) -> None:
    found = stores.answer("recent-distributions", **RECENT)
    tied = found.filter(pa.compute.equal(found["created_at"], pa.scalar(INSTANT, pa.timestamp("ms"))))
    assert len(found) == 50
    assert len(tied) > 40
    assert tied["distribution_id"].to_pylist() == sorted(tied["distribution_id"].to_pylist())


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("user-audiences", {"user_id": "nobody"}),
        ("user-audiences", {"user_id": ""}),
        ("audience-detail", {"audience_id": uid(1)}),
        ("audience-detail", {"audience_id": "' OR TRUE --"}),
        ("distribution-history", {"user_id": ODD[1], "audience_id": key_of(BUSY)}),
        ("active-platforms", {"user_id": "' OR TRUE; DROP TABLE platforms; --"}),
        ("recent-distributions", {"user_id": "@user_id; --", "since": day(1)}),
    ],
)
def test_nothing_found_is_typed_and_never_another_users_row(stores: Stores, name: str, given: dict[str, Any]) -> None:
    assert len(stores.answer(name, **given)) == 0


@pytest.mark.parametrize(("name", "given", "message"), WRONG)
def test_wrong_parameters_are_refused_as_by_files(
    stores: Stores, name: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        run(stores.warehouse, name, **given)


def test_archived_rows_are_counted_and_come_when_asked_for(stores: Stores) -> None:
    before = stores.answer("recent-distributions", **RECENT, limit=100)
    keys = [uid(5000), uid(5059)]
    for store in stores:
        assert move(store, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, keys, {"archived_at": day(7)}).moved == tuple(keys)
    live = stores.answer("recent-distributions", **RECENT, limit=100)
    assert len(before) - len(live) == 2
    assert stores.answer("recent-distributions", **RECENT, limit=100, include_archive=True) == before
    assert len(stores.answer("distribution-history", **HISTORY, include_archive=True)) > 60
    assert [count_archived(store, "recent-distributions", **RECENT, limit=1) for store in stores] == [2, 2]
    assert count_archived(stores.warehouse, "user-audiences", user_id=BUSY) == 0


def test_no_archive_is_read_where_there_is_none(stores: Stores) -> None:
    with pytest.raises(UsageError, match="user-audiences: found include_archive, expected none of it"):
        run(stores.warehouse, "user-audiences", include_archive=True, user_id=BUSY)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_reads_no_more_than_it_names(stores: Stores, name: str) -> None:
    """The emulator knows no prices, so this holds the text to it: columns by name, and for a key its month."""
    given: dict[str, Any] = {"user_id": BUSY, "audience_id": key_of(BUSY), "since": day(1)}
    run(stores.warehouse, name, **{each: given[each] for each in PATTERNS[name].needs})
    newest = max(stores.warehouse.warehouse.client.list_jobs(max_results=20), key=lambda job: job.created)
    assert newest.labels["operation"] == "query"
    assert "SELECT *" not in newest.query.split("\n)\n")[0]
    assert "user_id = @" in newest.query
    assert ("created_at >= @since AND" in newest.query) == (name == "audience-detail")
