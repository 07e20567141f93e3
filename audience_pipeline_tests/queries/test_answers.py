"""The access patterns: documented filters, order and columns, from exactly the files that can hold the answer."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from audience_pipeline.errors import CorruptionError, UsageError
from audience_pipeline.queries import PATTERNS, count_archived, run
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, PLATFORMS
from audience_pipeline.tables.arrow import arrow_schema
from audience_pipeline_tests.queries.world import ANA, BEN, audience, day, distribution, ids, put, spoil, uid
from audience_pipeline_tests.storage.builders import archived_form, move

EXAMPLES: dict[str, dict[str, Any]] = {
    "user-audiences": {"user_id": ANA},
    "audience-detail": {"audience_id": uid(1)},
    "distribution-history": {"user_id": ANA, "audience_id": uid(1)},
    "active-platforms": {"user_id": ANA},
    "recent-distributions": {"user_id": ANA, "since": day(1)},
}


BEFORE_TIME = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))


def archive(store: TableStore, *numbers: int) -> None:
    moved = move(store, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, [uid(each) for each in numbers], {"archived_at": day(6)})
    assert len(moved.moved) == len(numbers)


def test_a_row_on_its_way_to_the_archive_is_found_once_and_is_not_counted_as_archived(store: ParquetStore) -> None:
    before = ids(run(store, "distribution-history", user_id=ANA, audience_id=uid(1)), "distribution_id")
    assert store.copy(DISTRIBUTIONS_ARCHIVE, archived_form(store, [uid(10)])).moved
    found = run(store, "distribution-history", include_archive=True, user_id=ANA, audience_id=uid(1))
    assert ids(found, "distribution_id") == before
    assert count_archived(store, "distribution-history", user_id=ANA, audience_id=uid(1)) == 0


def test_a_users_audiences_come_newest_first_then_by_key_and_without_archived_ones(store: ParquetStore) -> None:
    assert ids(run(store, "user-audiences", user_id=ANA), "audience_id") == [2, 3, 1]


def test_an_audience_comes_with_all_columns_as_documented(store: ParquetStore) -> None:
    found = run(store, "audience-detail", audience_id=uid(2))
    assert found.schema == arrow_schema(AUDIENCES)
    assert ids(found, "audience_id") == [2]


def test_an_archived_audience_is_found_by_its_id_in_any_case(store: ParquetStore) -> None:
    put(store, AUDIENCES, audience(0xABC, ANA, day(5), status="archived"))
    assert ids(run(store, "audience-detail", audience_id=uid(0xABC).upper()), "audience_id") == [0xABC]


def test_the_history_of_an_audience_is_its_owners_only(store: ParquetStore) -> None:
    assert ids(run(store, "distribution-history", user_id=ANA, audience_id=uid(1)), "distribution_id") == [11, 10]
    assert run(store, "distribution-history", user_id=BEN, audience_id=uid(1)).num_rows == 0


def test_active_platforms_leave_out_inactive_ones_and_credentials(store: ParquetStore) -> None:
    found = run(store, "active-platforms", user_id=ANA)
    assert ids(found, "platform_id") == [20]
    assert found.column_names == [name for name in PLATFORMS.column_names if name != "credentials"]


def test_recent_distributions_are_those_after_the_moment_itself(store: ParquetStore) -> None:
    assert ids(run(store, "recent-distributions", user_id=ANA, since=day(3)), "distribution_id") == [12]
    before = day(3) - timedelta(milliseconds=1)
    assert ids(run(store, "recent-distributions", user_id=ANA, since=before), "distribution_id") == [12, 11]


def test_a_moment_with_an_offset_is_the_instant_it_names(store: ParquetStore) -> None:
    since = datetime(2025, 3, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert since < datetime(2025, 3, 1, tzinfo=UTC)
    assert ids(run(store, "recent-distributions", user_id=ANA, since=since), "distribution_id") == [12, 11]


def test_recent_distributions_are_fifty_unless_asked_otherwise(store: ParquetStore) -> None:
    put(store, DISTRIBUTIONS, *(distribution(100 + n, ANA, day(5), audience=1) for n in range(60)))
    assert run(store, "recent-distributions", user_id=ANA, since=day(1)).num_rows == 50
    newest = run(store, "recent-distributions", user_id=ANA, since=day(1), limit=2)
    assert ids(newest, "distribution_id") == [100, 101]


@pytest.mark.parametrize("name", PATTERNS)
def test_an_answer_without_rows_has_the_types_of_one_with_rows(store: ParquetStore, name: str, tmp_path: Path) -> None:
    rows = run(store, name, **EXAMPLES[name])
    with ParquetStore(tmp_path / "empty") as empty:
        none = run(empty, name, **EXAMPLES[name])
    assert rows.num_rows > 0
    assert none.num_rows == 0
    assert none.schema == rows.schema


@pytest.mark.parametrize("name", ["user-audiences", "distribution-history", "active-platforms", "recent-distributions"])
def test_another_users_files_are_not_opened(store: ParquetStore, name: str) -> None:
    expected = run(store, name, **EXAMPLES[name])
    assert spoil(path for path in store.root.rglob("*.parquet") if f"user_id={ANA}" not in path.parts) > 0
    assert run(store, name, **EXAMPLES[name]) == expected


def test_an_audience_is_found_by_opening_its_one_file(store: ParquetStore) -> None:
    expected = run(store, "audience-detail", audience_id=uid(1))
    assert spoil(path for path in store.root.rglob("*.parquet") if path.name != "audiences_2025_01.parquet") > 0
    assert run(store, "audience-detail", audience_id=uid(1)) == expected


def test_months_before_the_moment_are_not_opened(store: ParquetStore) -> None:
    assert spoil(store.root.rglob("distributions_2025_01.parquet")) == 1
    assert ids(run(store, "recent-distributions", user_id=ANA, since=day(2)), "distribution_id") == [12, 11]


def test_a_damaged_file_is_named(store: ParquetStore) -> None:
    spoil(store.root.rglob("distributions_2025_01.parquet"))
    with pytest.raises(CorruptionError, match=r"distributions_2025_01\.parquet.*audience-pipeline verify"):
        run(store, "recent-distributions", user_id=ANA, since=day(1))


def test_a_user_id_full_of_path_and_glob_characters_finds_its_own_rows(store: ParquetStore) -> None:
    odd = "../*[a]?{b}='%20 ☃"
    put(store, AUDIENCES, audience(7, odd, day(2)))
    assert ids(run(store, "user-audiences", user_id=odd), "audience_id") == [7]
    assert run(store, "user-audiences", user_id="*").num_rows == 0


def test_archived_rows_are_counted_and_come_when_asked_for(store: ParquetStore) -> None:
    asked = EXAMPLES["distribution-history"]
    archive(store, 10)
    assert ids(run(store, "distribution-history", **asked), "distribution_id") == [11]
    assert count_archived(store, "distribution-history", **asked) == 1
    together = run(store, "distribution-history", include_archive=True, **asked)
    assert ids(together, "distribution_id") == [11, 10]
    assert together.schema == arrow_schema(DISTRIBUTIONS)


def test_a_history_that_is_archived_as_a_whole_is_still_found(store: ParquetStore) -> None:
    archive(store, 10, 11, 12)
    shutil.rmtree(store.root / "distributions" / f"user_id={ANA}")
    with ParquetStore(store.root) as opened:
        found = run(opened, "distribution-history", include_archive=True, **EXAMPLES["distribution-history"])
    assert ids(found, "distribution_id") == [11, 10]


def test_a_row_that_is_being_archived_counts_once(store: ParquetStore) -> None:
    live = next(store.root.rglob("distributions_2025_01.parquet"))
    before = live.read_bytes()
    archive(store, 10)
    live.write_bytes(before)
    found = run(store, "distribution-history", include_archive=True, **EXAMPLES["distribution-history"])
    assert ids(found, "distribution_id") == [11, 10]


def test_no_archive_is_read_where_there_is_none(store: ParquetStore) -> None:
    assert count_archived(store, "user-audiences", user_id=ANA) == 0
    with pytest.raises(UsageError, match="user-audiences: found include_archive, expected none of it"):
        run(store, "user-audiences", include_archive=True, user_id=ANA)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("audiences", {}, "audiences: found no access pattern of this name, expected one of user-audiences"),
    ("user-audiences", {}, "user-audiences: found no user_id, expected user_id"),
    ("user-audiences", {"user_id": ANA, "limit": 5}, "found limit, which it does not take, expected user_id"),
    ("recent-distributions", {"user_id": ANA}, "found no since, expected user_id, since and perhaps limit"),
    ("recent-distributions", {"user_id": ANA, "since": day(1), "limit": 0}, "found 0, expected a number of rows"),
    ("recent-distributions", {"user_id": ANA, "since": "2025"}, "found '2025', expected a moment"),
    ("user-audiences", {"user_id": 5}, "user_id of user-audiences: found 5, expected a user id"),
    ("user-audiences", {"user_id": "\udcff"}, r"found '\\udcff', expected a user id"),
    ("recent-distributions", {"user_id": ANA, "since": day(1), "limit": 2**63}, "expected a number of rows"),
    ("recent-distributions", {"user_id": ANA, "since": BEFORE_TIME}, "expected a moment"),
]


@pytest.mark.parametrize(("name", "given", "message"), WRONG)
def test_wrong_parameters_are_answered_with_the_right_ones(
    store: ParquetStore, name: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        run(store, name, **given)


def test_values_are_never_read_as_sql(store: ParquetStore) -> None:
    put(store, AUDIENCES, audience(8, "x' OR '1'='1", day(2)))
    assert ids(run(store, "user-audiences", user_id="x' OR '1'='1"), "audience_id") == [8]


def test_threads_ask_one_store_at_once(store: ParquetStore) -> None:
    def ask(number: int) -> pa.Table:
        return run(store, list(PATTERNS)[number % 5], **EXAMPLES[list(PATTERNS)[number % 5]])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(80)))
    assert all(answers[number] == answers[number % 5] for number in range(80))


def test_an_answer_comes_without_a_warning(store: ParquetStore) -> None:
    program = (
        "import sys; from pathlib import Path; from audience_pipeline.storage.parquet.store import ParquetStore\n"
        "from audience_pipeline.queries import run\n"
        "with ParquetStore(Path(sys.argv[1])) as store:\n"
        "    print(run(store, 'active-platforms', user_id='user123').num_rows)"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(store.root)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "1\n"
