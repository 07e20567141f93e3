"""Statements over all tables: they read, and do nothing else."""

from pathlib import Path

import pytest

from audience_pipeline.errors import StorageError, UsageError
from audience_pipeline.queries.statements import read
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline_tests.queries.world import spoil


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) AS n FROM audiences",
        "FROM audience_segments",
        "DESCRIBE audiences",
        "SHOW TABLES",
        "SUMMARIZE users",
        "WITH a AS (FROM audiences) SELECT max(created_at) FROM a",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE FROM audiences",
        "EXPLAIN (FORMAT json) SELECT 1",
        "/* why */ SELECT 1 -- not",
        "FROM user_audiences('user123')",
    ],
)
def test_a_statement_that_reads_is_run(store: ParquetStore, statement: str) -> None:
    rows, _ = read(store.root, statement)
    assert rows.num_rows > 0


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("COPY (SELECT 1) TO '{data}/users/stray.parquet'", "COPY"),
        ("EXPLAIN ANALYZE COPY (SELECT 1) TO '{data}/users/stray.parquet'", "COPY"),
        ("EXPLAIN (ANALYZE) COPY (SELECT 1) TO '{data}/users/stray.parquet'", "COPY"),
        ("/*EXPLAIN (*/ EXPLAIN ANALYZE COPY (SELECT 1) TO '{data}/users/stray.parquet' -- */ SELECT 1", "EXPLAIN"),
        ("CREATE OR REPLACE TEMP VIEW users AS SELECT 1", "CREATE"),
        ("SET enable_external_access = true", "SET"),
        ("ATTACH '{data}/other.duckdb'", "ATTACH"),
        ("INSTALL httpfs", "LOAD"),
        ("SELECT 1; DELETE FROM users", "SELECT and DELETE"),
        ("", "no statement"),
    ],
)
def test_a_statement_that_does_more_is_refused_by_kind(store: ParquetStore, statement: str, found: str) -> None:
    before = sorted(store.root.rglob("*"))
    with pytest.raises(UsageError, match=f"statement: found {found}, expected one SELECT"):
        read(store.root, statement.replace("{data}", str(store.root)))
    assert [path for path in sorted(store.root.rglob("*")) if path not in before and path.suffix == ".parquet"] == []


def test_a_comment_in_an_explanation_hides_no_statement(store: ParquetStore) -> None:
    target = store.root / "stray.csv"
    with pytest.raises(UsageError, match="statement: found"):
        read(store.root, f"EXPLAIN (ANALYZE /* ) SELECT 1 --*/) COPY (SELECT 1) TO '{target}'")
    assert not target.exists()


def test_no_file_outside_the_data_directory_can_be_read(store: ParquetStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("a\n1\n", encoding="utf-8")
    for statement in (f"FROM '{outside}'", f"FROM read_text('{outside}')", f"FROM glob('{tmp_path}/*.csv')"):
        with pytest.raises(UsageError, match="statement: found"):
            read(store.root, statement)


def test_json_columns_are_told_apart_from_text(store: ParquetStore) -> None:
    rows, json_columns = read(store.root, "SELECT name, segments, segments->0 AS first FROM audiences")
    assert json_columns == {"segments", "first"}
    assert rows.num_rows == 5


def test_columns_of_one_name_are_all_told(store: ParquetStore) -> None:
    rows, json_columns = read(store.root, "SELECT 1 AS a, 2 AS a, 3 AS a_1, '{}'::JSON AS a")
    assert rows.to_pylist() == [{"a": 1, "a_2": 2, "a_1": 3, "a_3": "{}"}]
    assert json_columns == {"a_3"}


def test_an_error_in_a_statement_is_duckdbs_own_message(store: ParquetStore) -> None:
    with pytest.raises(UsageError, match=r"(?s)statement: found Binder Error.*nmae.*SHOW TABLES"):
        read(store.root, "SELECT nmae FROM audiences")


def test_a_damaged_file_is_an_error_of_storage(store: ParquetStore) -> None:
    spoil(store.root.glob("audiences/**/*.parquet"))
    with pytest.raises(StorageError, match=r"audiences_2025_\d\d\.parquet.*audience-pipeline verify"):
        read(store.root, "SELECT count(*) FROM audiences")


def test_a_data_directory_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent: found no such directory, expected the data directory"):
        read(tmp_path / "absent", "SELECT 1")
    assert not (tmp_path / "absent").exists()


def test_a_directory_with_wildcards_in_its_name_can_be_read(tmp_path: Path) -> None:
    with ParquetStore(tmp_path / "data [1] *") as odd:
        rows, _ = read(odd.root, "FROM audiences")
    assert rows.num_rows == 0
