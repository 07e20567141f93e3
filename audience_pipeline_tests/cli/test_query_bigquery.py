"""`query` and `sql` on BigQuery: what users of the Parquet backend see, and nothing but a SELECT is run."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from audience_pipeline.queries import PATTERNS, run
from audience_pipeline.settings import Settings, variable
from audience_pipeline.storage.bigquery.client import open_warehouse
from audience_pipeline.storage.bigquery.migration import Migration
from audience_pipeline.storage.bigquery.placing import VIEWS_SUFFIX
from audience_pipeline.storage.bigquery.store import BigQueryStore
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import DISTRIBUTIONS_ARCHIVE
from audience_pipeline_tests.cli.conftest import Command
from audience_pipeline_tests.queries.test_analysts_page import ON_BIGQUERY, statements
from audience_pipeline_tests.queries.test_answers import EXAMPLES, archive
from audience_pipeline_tests.queries.world import ANA, BEN, SEGMENTS, populate, uid
from audience_pipeline_tests.storage.builders import archived_form

pytestmark = pytest.mark.slow

HISTORY = ("query", "distribution-history", "--user-id", ANA, "--audience-id", uid(1))
JSON = ("--format", "json")
RECENT = ("query", "recent-distributions", "--user-id", ANA, "--since", "2025-01-01T02:00:00+02:00")


@pytest.fixture(scope="module")
def warehouse(bigquery_settings: Settings) -> Iterator[BigQueryStore]:
    with BigQueryStore(bigquery_settings) as store:
        Migration(store.warehouse, bigquery_settings).run(apply_changes=False, access=False)
        populate(store)
        archive(store, 12)
        store.copy(DISTRIBUTIONS_ARCHIVE, archived_form(store, [uid(11)]))
        yield store


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ParquetStore]:
    with ParquetStore(tmp_path_factory.mktemp("files") / "data") as store:
        populate(store)
        archive(store, 12)
        store.copy(DISTRIBUTIONS_ARCHIVE, archived_form(store, [uid(11)]))
        yield store


@pytest.fixture
def on_bigquery(
    command: Command, warehouse: BigQueryStore, bigquery_endpoint: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Run a command on the dataset that has the rows."""
    named = bigquery_endpoint | {"backend": "bigquery", "bigquery_dataset": warehouse.warehouse.dataset}
    for name, value in named.items():
        monkeypatch.setenv(variable(name), value or "")
    return command


@pytest.mark.parametrize(
    "arguments",
    [
        ("query", "user-audiences", "--user-id", ANA, "--format", "json"),
        ("query", "audience-detail", "--audience-id", uid(5).upper(), "--format", "csv"),
        (*HISTORY, "--format", "table"),
        (*HISTORY, "--include-archive", "--format", "json"),
        ("query", "active-platforms", "--user-id", BEN, "--format", "json"),
        (*RECENT, "--format", "json"),
        (*RECENT, "--include-archive", "--limit", "1", "--format", "csv"),
        ("query", "active-platforms", "--user-id", "nobody"),
        ("query", "audiences"),
        ("query", "user-audiences"),
        ("query", "user-audiences", "--user-id", ANA, "--limit", "1"),
        ("query", "user-audiences", "--user-id", ANA, "--include-archive"),
        ("query", "recent-distributions", "--user-id", ANA, "--since", "yesterday"),
    ],
    ids=" ".join,
)
def test_an_answer_or_an_error_is_that_of_the_files_to_the_letter(
    on_bigquery: Command, files: ParquetStore, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    found = on_bigquery(*arguments)
    monkeypatch.setenv(variable("backend"), "parquet")
    monkeypatch.setenv(variable("data_dir"), str(files.root))
    expected = on_bigquery(*arguments)
    assert (found.exit_code, found.stdout, found.stderr) == (expected.exit_code, expected.stdout, expected.stderr)


def test_sql_reads_the_views_of_all_tenants_with_json_as_json(on_bigquery: Command) -> None:
    result = on_bigquery("sql", "SELECT user_id, segments, created_at FROM audiences ORDER BY 1 DESC, 3", *JSON)
    rows = json.loads(result.stdout)
    assert [row["user_id"] for row in rows] == [ANA] * 4 + [BEN]
    assert rows[0]["segments"][0]["name"] == SEGMENTS[0]["name"]
    assert rows[0]["created_at"] == "2025-01-01T00:00:00.000Z"


def test_sql_shows_no_credentials_and_archived_distributions_too(on_bigquery: Command) -> None:
    shown = on_bigquery("sql", "SELECT * FROM platforms", "--format", "csv").stdout
    assert "credentials" not in next(csv.reader(io.StringIO(shown)))
    archived = on_bigquery("sql", "SELECT distribution_id FROM distributions_all WHERE archived_at IS NOT NULL", *JSON)
    assert json.loads(archived.stdout) == [{"distribution_id": uid(12)}]
    counted = on_bigquery("sql", "SELECT COUNT(*) - COUNT(DISTINCT distribution_id) AS n FROM distributions_all", *JSON)
    assert json.loads(counted.stdout) == [{"n": 0}]


def test_sql_shows_values_of_every_kind(on_bigquery: Command) -> None:
    values = {
        "JSON '{\"a\":[1,null]}'": {"a": [1, None]},
        "DATE '2025-05-01'": "2025-05-01",
        "DATETIME '2025-05-01 01:02:03'": "2025-05-01T01:02:03.000Z",
        "TIMESTAMP '2025-05-01 02:00:00+02'": "2025-05-01T00:00:00.000Z",
        "TIME '01:02:03'": "01:02:03",
        "NUMERIC '1.25'": 1.25,
        "b'a\\x00b'": "YQBi",
        "STRUCT(1 AS a, [TRUE] AS b)": {"a": 1, "b": [True]},
        "[TIMESTAMP '2025-05-01']": ["2025-05-01T00:00:00.000Z"],
        "CAST('nan' AS FLOAT64)": None,
        "9223372036854775807": 2**63 - 1,
        "CAST(NULL AS STRING)": None,
    }
    columns = ", ".join(f"{expression} AS v{n}" for n, expression in enumerate(values))
    (row,) = json.loads(on_bigquery("sql", f"SELECT {columns}", *JSON).stdout)
    assert list(row.values()) == list(values.values())


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DROP VIEW users", "DROP_VIEW"),
        ("INSERT tables.users (user_id, created_at) VALUES ('x', CURRENT_TIMESTAMP())", "INSERT"),
        ("UPDATE tables.users SET email = 'x' WHERE TRUE", "UPDATE"),
        ("TRUNCATE TABLE tables.users", "TRUNCATE_TABLE"),
        ("CREATE TABLE stolen AS SELECT * FROM users", "CREATE_TABLE_AS_SELECT"),
        ("EXPORT DATA OPTIONS (uri = 'gs://b/*', format = 'CSV') AS SELECT 1", "EXPORT_DATA"),
        ("SELECT 1; SELECT 2", "several statements"),
        ("SELECT 1; DROP VIEW users", "several statements"),
        ("BEGIN SELECT 1; END", "several statements"),
        ("EXECUTE IMMEDIATE 'DROP VIEW users'", "several statements, or one that controls others"),
        ("/* SELECT */ -- SELECT", "no statement"),
        ("", "no statement"),
    ],
)
def test_nothing_but_a_select_is_run(
    on_bigquery: Command, warehouse: BigQueryStore, statement: str, found: str
) -> None:
    result = on_bigquery("sql", statement.replace("tables.", f"{warehouse.warehouse.dataset}."))
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"statement: found {found}" in result.stderr
    assert "expected one SELECT. Nothing was run" in result.stderr


def test_what_was_refused_left_views_and_rows_in_place(on_bigquery: Command) -> None:
    listed = on_bigquery("sql", "SELECT table_name FROM INFORMATION_SCHEMA.TABLES", *JSON)
    names = {row["table_name"] for row in json.loads(listed.stdout)}
    assert {"users", "distributions_all"} < names
    assert "stolen" not in names
    assert json.loads(on_bigquery("sql", "SELECT user_id, email FROM users", *JSON).stdout) == [
        {"user_id": ANA, "email": None}
    ]


@pytest.mark.parametrize("statement", statements(ON_BIGQUERY), ids=lambda statement: statement.splitlines()[1].strip())
def test_a_statement_of_the_analysts_page_finds_rows(on_bigquery: Command, statement: str) -> None:
    assert json.loads(on_bigquery("sql", statement, *JSON).stdout) != []


@pytest.mark.parametrize("name", PATTERNS)
def test_a_patterns_file_runs_as_it_stands_over_the_views(
    warehouse: BigQueryStore, bigquery_settings: Settings, name: str
) -> None:
    views = bigquery_settings.model_copy(update={"bigquery_dataset": f"{warehouse.warehouse.dataset}{VIEWS_SUFFIX}"})
    values = PATTERNS[name].arguments(EXAMPLES[name])
    with open_warehouse(views) as opened:
        found = opened.run(PATTERNS[name].sql("bigquery"), values, object="a test", operation="test").arrow()
    expected = run(warehouse, name, **EXAMPLES[name])
    assert found.column_names == expected.column_names
    assert found[PATTERNS[name].table.key].to_pylist() == expected[PATTERNS[name].table.key].to_pylist()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELEC 1", "Syntax error"),
        ("SELECT nope FROM users", "Unrecognized name: nope"),
        ("SELECT * FROM nowhere", "nowhere was not found"),
        ("SELECT 1 / 0", "division by zero"),
    ],
)
def test_a_wrong_statement_is_wrong_usage_in_the_words_of_the_service(
    on_bigquery: Command, statement: str, message: str
) -> None:
    result = on_bigquery("sql", statement)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "expected a statement BigQuery can run. Correct the statement" in result.stderr


def test_a_session_of_one_tenant_is_left_to_the_policies_of_the_service(on_bigquery: Command) -> None:
    result = on_bigquery("sql", "SELECT 1", "--user-id", ANA)
    assert result.exit_code == 2
    assert "row access policies give each account its own tenant's rows" in result.stderr


def test_views_that_are_not_made_are_a_failure_with_the_command_that_makes_them(
    on_bigquery: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable("bigquery_dataset"), "never_made")
    result = on_bigquery("sql", "SELECT * FROM users")
    assert result.exit_code == 1
    assert "never_made_views" in result.stderr
    assert "Run `audience-pipeline migrate`" in result.stderr


def test_a_service_that_does_not_answer_is_a_failure(on_bigquery: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable("bigquery_api_endpoint"), "http://127.0.0.1:9")
    monkeypatch.setenv(variable("bigquery_retry_seconds"), "1")
    for arguments in (("sql", "SELECT 1"), HISTORY):
        result = on_bigquery(*arguments)
        assert result.exit_code == 1
        assert "BigQuery at http://127.0.0.1:9: found no answer" in result.stderr
