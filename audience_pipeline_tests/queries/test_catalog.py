"""The analysts' catalog: typed views over live files, for anybody who has DuckDB."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from audience_pipeline.errors import StorageError
from audience_pipeline.queries import run
from audience_pipeline.queries.catalog import catalog_is_current, ensure_catalog, write_catalog
from audience_pipeline.queries.macros import ARGUMENTS
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, STORED, LogicalType, Table
from audience_pipeline.tables.duckdb import UNFOLDED
from audience_pipeline.tables.types import DUCKDB
from audience_pipeline_tests.queries.test_answers import EXAMPLES, archive
from audience_pipeline_tests.queries.world import ANA, API_KEY, BEN, SEGMENTS, audience, day, put, spoil, uid

MACROS = {
    "user-audiences": "user_audiences($user_id)",
    "audience-detail": "audience_detail($audience_id)",
    "distribution-history": "distribution_history($audience_id, $user_id)",
    "active-platforms": "active_platforms($user_id)",
    "recent-distributions": "recent_distributions($user_id, $since)",
}


@pytest.fixture
def catalog(store: ParquetStore) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(write_catalog(store.root)) as connection:
        yield connection


def opened(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a catalog the way an analyst without network does."""
    connection = duckdb.connect(path, read_only=True)
    connection.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
    return connection


def types(connection: duckdb.DuckDBPyConnection, view: str) -> dict[str, str]:
    found = connection.sql(f"FROM {view}")
    return dict(zip(found.columns, map(str, found.types), strict=True))


@pytest.mark.parametrize("table", STORED, ids=lambda table: table.name)
def test_a_table_without_files_is_a_view_without_rows_in_the_declared_types(tmp_path: Path, table: Table) -> None:
    declared = {column.name: DUCKDB[column.type] for column in table.columns if not column.secret}
    with opened(write_catalog(tmp_path)) as connection:
        assert connection.sql(f"FROM {table.name}").fetchall() == []
        assert types(connection, table.name) == declared


def test_a_view_has_the_same_types_with_and_without_files(tmp_path: Path, catalog: duckdb.DuckDBPyConnection) -> None:
    with opened(write_catalog(tmp_path / "empty")) as empty:
        views = [name for (name,) in empty.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()]
        assert len(views) == len(STORED) + len(UNFOLDED) + len(["distributions_all", "delivery_log"])
        assert {view: types(empty, view) for view in views} == {view: types(catalog, view) for view in views}


def test_every_json_column_of_a_shape_is_unfolded_somewhere() -> None:
    shaped = {(table.name, c.name) for table in STORED for c in table.of_type(LogicalType.JSON) if not c.secret}
    free = {("distribution_events", "evidence"), ("audit_log", "details")}
    archived = {(DISTRIBUTIONS_ARCHIVE.name, column.name) for column in DISTRIBUTIONS.of_type(LogicalType.JSON)}
    assert {(view.table.name, column) for view in UNFOLDED for column in view.columns} == shaped - free - archived


def test_segments_are_one_row_each_in_their_order(catalog: duckdb.DuckDBPyConnection) -> None:
    found = catalog.sql(
        "SELECT position, segment_id, size, size_percentage, characteristics, prizm_segments FROM audience_segments"
        " WHERE audience_id = $id ORDER BY position",
        params={"id": uid(1)},
    ).fetchall()
    assert found == [(1, "s1", 1200, 12.0, None, ["04"]), (2, "s2", 800, None, '{"age":[25,34]}', None)]
    assert catalog.sql("FROM audience_segments").shape[0] == 5 * len(SEGMENTS)


def test_match_results_are_columns(catalog: duckdb.DuckDBPyConnection) -> None:
    found = catalog.sql(
        "SELECT total_records, matched_records, match_rate, basis, error_code FROM distribution_results"
    ).fetchall()
    assert found == [(2000, 900, 0.45, None, None)] * 4


def test_settings_quotas_variables_and_metadata_are_columns(catalog: duckdb.DuckDBPyConnection) -> None:
    expected = {
        "SELECT DISTINCT default_match_rate, auto_refresh, refresh_frequency FROM platform_settings": (
            0.5,
            True,
            "weekly",
        ),
        "SELECT max_audiences, max_distributions_per_month FROM user_quotas": (5, None),
        "SELECT DISTINCT position, code, relevance_score FROM audience_variables": (1, "AGE_25_34", 0.9),
        "SELECT DISTINCT campaign_name, cost_estimate FROM distribution_metadata": ("Spring", 12.5),
    }
    assert {statement: catalog.sql(statement).fetchall() for statement in expected} == {
        statement: [row] for statement, row in expected.items()
    }


def test_no_view_and_no_macro_shows_credentials(catalog: duckdb.DuckDBPyConnection) -> None:
    names = catalog.sql("SELECT count(*) FROM duckdb_columns() WHERE column_name LIKE '%credential%'").fetchall()
    assert names == [(0,)]
    shown = catalog.sql("FROM platforms").fetchall(), catalog.sql(f"FROM active_platforms('{ANA}')").fetchall()
    assert "seat-1" not in str(shown)
    assert API_KEY not in str(shown)


def test_live_and_archived_distributions_together_hold_each_row_once(store: ParquetStore) -> None:
    live = next(store.root.rglob("distributions_2025_01.parquet"))
    before = live.read_bytes()
    archive(store, 10, 11)
    live.write_bytes(before)
    with opened(write_catalog(store.root)) as connection:
        found = connection.sql("SELECT distribution_id, archived_at FROM distributions_all ORDER BY 1").fetchall()
        results = connection.sql("SELECT count(*) FROM distribution_results").fetchall()
    assert found == [(uid(10), None), (uid(11), day(6)), (uid(12), None), (uid(13), None)]
    assert results == [(4,)]


@pytest.mark.parametrize("name", MACROS)
def test_a_macro_answers_as_the_package_does(
    store: ParquetStore, catalog: duckdb.DuckDBPyConnection, name: str
) -> None:
    expected = run(store, name, **EXAMPLES[name])
    found = catalog.sql(f"FROM {MACROS[name]}", params=EXAMPLES[name]).to_arrow_table()
    assert found.cast(expected.schema) == expected


def test_macros_find_odd_users_and_open_no_other_users_files(store: ParquetStore) -> None:
    assert spoil(store.root.glob(f"*/user_id={ANA}/**/*.parquet")) > 0
    with opened(write_catalog(store.root)) as connection:
        for macro in (
            "user_audiences(?)",
            "active_platforms(?)",
            "recent_distributions(?, '2025-01-01', max_rows := 9)",
        ):
            assert connection.sql(f"FROM {macro}", params=[BEN]).shape[0] == 1
        owned = connection.sql("FROM audience_detail(?, owner := ?)", params=[uid(5), BEN])
        assert owned.shape[0] == 1


def test_a_macro_names_its_arguments_unlike_any_column() -> None:
    columns = {column.name for table in STORED for column in table.columns}
    assert columns.isdisjoint(ARGUMENTS.values())


def test_views_and_macros_work_where_the_catalog_is_attached_under_a_name(store: ParquetStore) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{write_catalog(store.root)}' AS live (READ_ONLY)")
        assert connection.sql("FROM live.audience_segments").shape[0] == 10
        assert connection.sql("FROM live.user_audiences(?)", params=[ANA]).shape[0] == 3


def test_views_explain_themselves(catalog: duckdb.DuckDBPyConnection) -> None:
    missing = catalog.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal AND comment IS NULL").fetchall()
    described = catalog.sql("SELECT comment FROM duckdb_columns() WHERE table_name = 'audiences' LIMIT 1").fetchall()
    assert missing == []
    assert described == [(AUDIENCES.columns[0].doc,)]


def test_rows_written_after_the_catalog_are_in_its_views(
    store: ParquetStore, catalog: duckdb.DuckDBPyConnection
) -> None:
    put(store, AUDIENCES, audience(9, "new user", day(7)))
    assert catalog.sql("SELECT name FROM audiences WHERE user_id = 'new user'").fetchall() == [("Audience 9",)]


def test_a_directory_of_quotes_and_wildcards_is_just_a_directory(tmp_path: Path) -> None:
    with ParquetStore(tmp_path / "it's [a] * {b}") as odd:
        put(odd, AUDIENCES, audience(1, ANA, day(1)))
        with opened(write_catalog(odd.root)) as connection:
            assert connection.sql("FROM audiences").shape[0] == 1
            assert connection.sql(f"FROM user_audiences('{ANA}')").shape[0] == 1
        assert run(odd, "user-audiences", user_id=ANA).num_rows == 1


def test_the_catalog_is_written_again_after_a_move_and_not_otherwise(store: ParquetStore, tmp_path: Path) -> None:
    assert not catalog_is_current(store.root)
    first = ensure_catalog(store.root).stat()
    assert catalog_is_current(store.root)
    assert ensure_catalog(store.root).stat().st_ino == first.st_ino
    moved = store.root.rename(tmp_path / "elsewhere")
    assert not catalog_is_current(moved)
    with opened(ensure_catalog(moved)) as connection:
        assert connection.sql("FROM audiences").shape[0] == 5


def test_a_removed_catalog_is_not_current(store: ParquetStore) -> None:
    write_catalog(store.root).unlink()
    assert not catalog_is_current(store.root)


def test_writing_the_catalog_leaves_nothing_else_behind(store: ParquetStore) -> None:
    before = {path for path in store.root.rglob("*") if path.is_file()}
    write_catalog(store.root)
    after = {path for path in store.root.rglob("*") if path.is_file()}
    assert {path.name for path in after - before} == {"catalog.duckdb", "catalog.sha256"}


def test_nobody_is_invited_to_open_the_catalog_for_writing(store: ParquetStore) -> None:
    assert write_catalog(store.root).stat().st_mode & 0o222 == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_directory_that_cannot_be_written_is_named(store: ParquetStore) -> None:
    (store.root / "_state" / "staging").chmod(0o500)
    with pytest.raises(StorageError, match=r"catalog\.duckdb: found"):
        write_catalog(store.root)


READER = """
import os, sys, duckdb
path, user, stop = sys.argv[1:]
rounds = 0
print("ready", flush=True)
while rounds < 2 or not os.path.exists(stop):
    with duckdb.connect(path, read_only=True) as connection:
        assert connection.sql("SELECT count(*) FROM audiences").fetchall() == [(5,)]
        assert connection.sql("FROM user_audiences($u)", params={"u": user}).shape[0] == 3
        assert connection.sql("SELECT count(*), sum(size) FROM audience_segments").fetchall() == [(10, 10000)]
    rounds += 1
"""


def test_readers_in_other_processes_see_whole_tables_while_files_and_catalog_are_replaced(
    store: ParquetStore, tmp_path: Path
) -> None:
    stop = tmp_path / "stop"
    arguments = [sys.executable, "-c", READER, str(write_catalog(store.root)), ANA, str(stop)]
    readers = [subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
    days = {1: day(1), 2: day(2), 3: day(2)}
    for number in range(1, 9):
        changed = {"updated_at": day(8, number), "metadata": json.dumps({"notes": f"write {number}"})}
        put(store, AUDIENCES, *(audience(key, ANA, created, **changed) for key, created in days.items()))
        write_catalog(store.root)
    stop.touch()
    results = [reader.communicate(timeout=60) for reader in readers]
    assert [reader.returncode for reader in readers] == [0, 0], results


def test_a_session_can_point_the_catalog_at_a_copy_of_the_tables(store: ParquetStore, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(store.root, copy)
    put(store, AUDIENCES, audience(9, ANA, day(7)))
    with opened(write_catalog(store.root)) as connection:
        assert connection.sql("FROM audiences").shape[0] == 6
        connection.execute("SET VARIABLE data_dir = $copy", {"copy": str(copy)})
        assert connection.sql("FROM audiences").shape[0] == 5
        assert connection.sql(f"FROM user_audiences('{ANA}')").shape[0] == 3


def test_a_damaged_file_does_not_keep_the_catalog_from_being_written(store: ParquetStore) -> None:
    spoil(store.root.rglob("*.parquet"))
    with opened(write_catalog(store.root)) as connection:
        assert connection.sql("FROM distributions_archive").fetchall() == []
