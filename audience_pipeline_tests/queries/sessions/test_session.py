"""A tenant session answers like the catalog with the tenant's rows, within its limits, and is on record."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from audience_pipeline import open_session
from audience_pipeline.errors import PipelineError, SecurityError, StorageError, UsageError
from audience_pipeline.queries.sessions import Session
from audience_pipeline.queries.sessions.connection import SealedConnection, view_names
from audience_pipeline.queries.sessions.vocabulary import FUNCTIONS, TABLE_FUNCTIONS
from audience_pipeline.queries.sessions.watching import watched
from audience_pipeline.queries.statements import read
from audience_pipeline.settings import Settings, load_settings
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, AUDIT_LOG
from audience_pipeline_tests.queries.sessions.test_attacks import filled, tree
from audience_pipeline_tests.queries.world import ANA, BEN, audience, day, put, spoil

BIG = "SELECT sum(a.range * b.range) FROM range(10000000) AS a, range(10000000) AS b"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT audience_id, name FROM audiences{where} ORDER BY ALL",
        "SELECT count(*) AS n, max(created_at) FROM distributions_all{where}",
        "SELECT segment_id, sum(size) FROM audience_segments{where} GROUP BY ALL ORDER BY ALL",
        "SELECT metadata->>'campaign_name' FROM distributions_archive{where} ORDER BY ALL",
        "SELECT match_rate, total_records FROM distribution_results{where} ORDER BY ALL",
        "SELECT list(DISTINCT status ORDER BY status) FROM distributions{where}",
        "WITH d AS (FROM distributions_all{where}) SELECT status, count(*) FROM d GROUP BY ALL",
    ],
)
def test_a_session_answers_what_an_operator_gets_for_the_tenant(
    session: Session, store: ParquetStore, statement: str
) -> None:
    sealed = session.sql(statement.replace("{where}", ""))
    unsealed, _ = read(store.root, statement.replace("{where}", f" WHERE user_id = '{ANA}'"))
    assert sealed.to_pylist() == unsealed.to_pylist()
    assert sealed.num_rows > 0


@pytest.mark.parametrize(
    "statement",
    [
        "DESCRIBE audiences",
        "DESCRIBE SELECT name FROM audiences",
        "EXPLAIN FROM audiences",
        "explain select 1",
        "FROM range(3) AS r(x) SELECT x, x % 2 = 0, x BETWEEN 1 AND 2, -x, x::DOUBLE / 2",
        "SELECT name, rank() OVER (ORDER BY created_at DESC) FROM audiences QUALIFY rank() OVER (ORDER BY name) < 3",
        "SELECT unnest(selected_variables) FROM audiences UNION ALL SELECT 'x'",
        "SELECT s.name, x FROM audience_segments AS s SEMI JOIN distributions USING (audience_id), (SELECT 1) AS d(x)",
        "SELECT [x * 2 for x in [1, 2, 3] if x > 1], {'a': 1}.a, list_transform([1], lambda x: x + 1)",
        "SELECT date_trunc('month', created_at), count(*) FILTER (WHERE status = 'active') FROM audiences GROUP BY ALL",
        "SELECT grouping(status), count(*) FROM audiences GROUP BY ROLLUP (status)",
        "SELECT a.name FROM audiences AS a WHERE EXISTS (FROM distributions AS d WHERE d.audience_id = a.audience_id)",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT * FROM t",
        "SELECT * FROM audiences ASOF JOIN distributions ON audiences.created_at <= distributions.created_at",
        "SELECT 1;",
    ],
)
def test_what_analysts_ask_is_run(session: Session, statement: str) -> None:
    assert session.sql(statement).num_rows > 0


def test_a_listed_function_is_one_that_duckdb_has() -> None:
    with duckdb.connect() as connection:
        found = {name.lower() for (name,) in connection.sql("SELECT function_name FROM duckdb_functions()").fetchall()}
    of_the_parser = {"->", "coalesce", "current_timestamp", "grouping", "ifnull", "percentile_cont", "percentile_disc"}
    assert (FUNCTIONS | TABLE_FUNCTIONS) - found <= of_the_parser


def test_the_connection_alone_reaches_nobody_elses_files_either(settings: Settings, store: ParquetStore) -> None:
    """The second wall: what if a statement were misjudged."""
    before = tree(store.root)
    sealed = SealedConnection(settings.data_dir, ANA, settings.session_memory)
    sealed.provide(view_names())
    with sealed.duckdb as connection:
        for attack in (
            "FROM '{file}'",
            "FROM read_parquet('{own}/../user_id=ben%2F..%2Fx%3Dy%25/year=2025/month=02/audiences_2025_02.parquet')",
            "FROM glob('{data}/**')",
            "FROM read_text('/etc/passwd')",
            "COPY users TO '{out}/users.parquet'",
            "ATTACH '{data}/_state/x.duckdb'",
            "SET enable_external_access = true",
            "SET VARIABLE tenant = '*'; SET allowed_directories = ['/']; FROM users",
            "INSTALL httpfs",
            "FROM a_frame",
        ):
            with pytest.raises(duckdb.Error):
                connection.sql(filled(attack, settings)).fetchall()
    assert tree(store.root) == before


def test_an_opening_is_recorded_and_nothing_else_changes(settings: Settings, store: ParquetStore) -> None:
    before = tree(settings.data_dir.parent)
    with open_session(BEN, settings, by="somebody") as session:
        after = tree(settings.data_dir.parent)
        session.sql("FROM audiences")
        assert tree(settings.data_dir.parent) == after
    changed = {path for path in after if after[path] != before.get(path)}
    state = str(settings.data_dir / "_state")
    assert {Path(path).name.split("_2")[0] for path in changed if not path.startswith(state)} == {"audit_log"}
    (entry,) = [row for row in store.read(AUDIT_LOG).to_pylist() if row["actor"] == "somebody"]
    assert (entry["user_id"], entry["action"]) == (BEN, "open_session")


def test_each_opening_is_an_entry_of_its_own(settings: Settings, store: ParquetStore) -> None:
    for _ in range(3):
        open_session("tenant-of-three", settings).close()
    entries = [row for row in store.read(AUDIT_LOG).to_pylist() if row["user_id"] == "tenant-of-three"]
    assert len(entries) == 3
    assert all(entry["actor"] for entry in entries)


def test_a_closed_session_says_so(settings: Settings) -> None:
    session = open_session(ANA, settings)
    session.sql("FROM audiences")
    session.close()
    with pytest.raises(UsageError, match="one that was closed"):
        session.sql("FROM audiences")


def stop_in_time() -> None:
    with duckdb.connect() as connection, watched(connection, 0.2, 2**40) as watch, pytest.raises(duckdb.Error):
        connection.execute(BIG).fetchall()
    assert watch.late
    assert sum("session watch" in thread.name for thread in threading.enumerate()) == 1


def test_statements_of_a_process_are_watched_by_one_thread_and_those_of_a_fork_by_its_own() -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: stop_in_time(), range(4)))
    fork = multiprocessing.get_context("fork").Process(target=stop_in_time)
    fork.start()
    fork.join(60)
    assert fork.exitcode == 0


def test_a_program_that_asked_a_session_ends_without_a_word(tmp_path: Path) -> None:
    program = (
        "from audience_pipeline import open_session; session = open_session('u');"
        " session.sql('SELECT count(*) AS n FROM audiences')"
    )
    variables = {**os.environ, "AUDIENCE_PIPELINE_DATA_DIR": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("", "")


def test_a_session_that_cannot_be_recorded_is_not_opened(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StorageError(object="audit_log", found="no space left", expected="room", remedy="Free some.")

    monkeypatch.setattr("audience_pipeline.queries.sessions.session.record", refuse)
    with pytest.raises(StorageError, match="no space left"):
        open_session(ANA, settings)


@pytest.mark.usefixtures("store")
def test_a_statement_that_takes_too_long_is_stopped(settings: Settings) -> None:
    limited = settings.model_copy(update={"session_seconds": 1})
    with open_session(ANA, limited) as session:
        begun = time.monotonic()
        with pytest.raises(UsageError, match=r"more than 1 s, expected at most AUDIENCE_PIPELINE_SESSION_SECONDS=1"):
            session.sql(BIG)
        assert time.monotonic() - begun < 3
        assert session.sql("SELECT count(*) AS n FROM audiences").to_pylist() == [{"n": 4}]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT list(range) FROM range(1000000000)",
        "SELECT * FROM range(10000000000)",
        "WITH RECURSIVE t(s) AS (SELECT 'xxxxxxxxxxxxxxxx' UNION ALL SELECT s || s FROM t) SELECT max(len(s)) FROM t",
        "SELECT string_agg(md5(range::VARCHAR), '') FROM range(1000000000)",
        "SELECT a.range, count(*) FROM range(100000000) AS a GROUP BY a.range ORDER BY 2 DESC, 1",
        "SELECT replace(md5('x'), 'a', md5('z')) || string_agg(range::VARCHAR) FROM range(100000000)",
    ],
)
def test_a_statement_that_takes_too_much_memory_is_stopped(settings: Settings, statement: str) -> None:
    limited = settings.model_copy(update={"session_memory": "64MiB", "session_seconds": 60})
    with open_session(ANA, limited) as session:
        with pytest.raises(
            UsageError, match="more memory than 64MiB, expected at most AUDIENCE_PIPELINE_SESSION_MEMORY"
        ):
            session.sql(statement)
        assert session.sql("SELECT 1 AS n").to_pylist() == [{"n": 1}]


def test_a_statement_of_any_size_or_depth_is_refused_or_run(session: Session) -> None:
    for statement in (
        f"SELECT '{'x' * 200_000}'",
        f"SELECT {'(' * 20_000}1{')' * 20_000}",
        f"SELECT {'NOT ' * 20_000}true",
        f"SELECT 1{' + 1' * 20_000}",
        f"SELECT {'[' * 900}1{']' * 900}",
        "SELECT * FROM " + "(SELECT * FROM " * 2_000 + "users" + ")" * 2_000,
        "\0",
        "SELECT '\ud800'",
        "",
        ";;",
    ):
        with pytest.raises(PipelineError):
            session.sql(statement)
    assert session.sql("SELECT 1 AS n").num_rows == 1


def test_a_symbolic_link_among_the_tenants_files_is_not_followed(settings: Settings, store: ParquetStore) -> None:
    put(store, AUDIENCES, audience(700, "linked", day(1)))
    with open_session("linked", settings) as session:
        assert session.sql("FROM audiences").num_rows == 1
        link = settings.data_dir / "audiences" / "user_id=linked" / "year=2025" / "month=02"
        link.mkdir()
        (link / "audiences_2025_02.parquet").symlink_to(filled("{file}", settings))
        with pytest.raises(SecurityError, match="a symbolic link among the tenant's files"):
            session.sql("FROM audiences")


def test_a_damaged_file_is_told_without_its_path(settings: Settings, store: ParquetStore) -> None:
    put(store, AUDIENCES, audience(701, "damaged", day(1)))
    assert spoil((settings.data_dir / "audiences" / "user_id=damaged").rglob("*.parquet")) == 1
    with open_session("damaged", settings) as session, pytest.raises(StorageError) as caught:
        session.sql("FROM audiences")
    assert str(settings.data_dir.parent) not in str(caught.value)
    assert "verify" in str(caught.value)


def test_rows_stored_after_a_session_was_opened_are_seen(settings: Settings, store: ParquetStore) -> None:
    with open_session("late", settings) as session:
        assert session.sql("FROM audiences").num_rows == 0
        put(store, AUDIENCES, audience(702, "late", day(1)))
        assert session.sql("FROM audiences").num_rows == 1


@pytest.mark.parametrize("user_id", ["", "\0", "__HIVE_DEFAULT_PARTITION__", "x" * 300, "\ud800"])
def test_what_is_no_user_id_opens_no_session(settings: Settings, user_id: str) -> None:
    with pytest.raises(UsageError, match="user_id: found"):
        open_session(user_id, settings)


@pytest.mark.parametrize("user_id", ["*", "user123/../ben", "..", "user_id=user123", "us?r123", "[u]ser123", "%2A"])
def test_a_pattern_for_a_user_id_is_a_user_of_that_name(settings: Settings, user_id: str) -> None:
    with open_session(user_id, settings) as session:
        assert session.sql("FROM distributions_all").num_rows == 0


def test_in_bigquery_the_row_access_policies_are_named(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, backend="bigquery", bigquery_project="p-1", bigquery_dataset="d")
    with pytest.raises(UsageError, match="row access policies"):
        open_session(ANA, settings)


def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        open_session(ANA, load_settings(data_dir=tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()
