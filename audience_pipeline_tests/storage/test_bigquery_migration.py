"""Migrating BigQuery: made once, repeated without a change, changed on demand, and never at the cost of rows."""

from collections.abc import Iterator

import pytest

from audience_pipeline.errors import PipelineError, StorageError
from audience_pipeline.settings import Settings
from audience_pipeline.storage.bigquery.client import Warehouse, open_warehouse
from audience_pipeline.storage.bigquery.migration import Migration, Step
from audience_pipeline.storage.bigquery.placing import VIEWS_SUFFIX
from audience_pipeline.tables import STORED, TENANT_PRINCIPALS
from audience_pipeline.tables.bigquery import KEPT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def migrated(bigquery_settings: Settings) -> Iterator[Warehouse]:
    with open_warehouse(bigquery_settings) as warehouse:
        steps = migrate(warehouse, bigquery_settings)
        assert {step.state for step in steps if step.object.startswith(("dataset", "table "))} == {"made"}
        yield warehouse


@pytest.fixture
def principals(migrated: Warehouse, bigquery_settings: Settings) -> Iterator[Warehouse]:
    """A warehouse whose table of principals a test may change."""
    yield migrated
    run(migrated, "DROP TABLE tenant_principals")
    migrate_tables(migrated, bigquery_settings)


def migrate(warehouse: Warehouse, settings: Settings) -> list[Step]:
    return Migration(warehouse, settings).run(apply_changes=False, access=False)


def migrate_tables(warehouse: Warehouse, settings: Settings, *, apply_changes: bool = False) -> list[Step]:
    return Migration(warehouse, settings).tables(apply_changes=apply_changes)


def run(warehouse: Warehouse, statement: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = warehouse.run(statement, object="a test", operation="test").arrow().to_pylist()
    return rows


def test_every_declared_table_is_made_as_declared(migrated: Warehouse, bigquery_settings: Settings) -> None:
    steps = migrate(migrated, bigquery_settings)
    tables = [step for step in steps if step.object.startswith("table ")]
    assert [step.object for step in tables] == [f"table {migrated.name(table.name)}" for table in KEPT]
    assert {step.state for step in tables} == {"unchanged"}


def test_repeating_it_keeps_the_rows(migrated: Warehouse, bigquery_settings: Settings) -> None:
    run(migrated, "INSERT users (user_id, created_at) VALUES ('u1', '2025-05-01')")
    Migration(migrated, bigquery_settings).run(apply_changes=True, access=False)
    assert run(migrated, "SELECT user_id FROM users") == [{"user_id": "u1"}]


def test_views_show_every_stored_table_without_its_secrets(migrated: Warehouse) -> None:
    views = migrated.client.list_tables(f"{migrated.dataset}{VIEWS_SUFFIX}")
    shown = {(view.table_id, field.name) for view in views for field in migrated.client.get_table(view).schema}
    assert {(table.name, column.name) for table in STORED for column in table.columns if not column.secret} <= shown
    assert "credentials" not in {column for _, column in shown}
    assert ("distributions_all", "archived_at") in shown


def test_views_may_read_the_tables_in_an_analysts_place(migrated: Warehouse) -> None:
    entries = migrated.client.get_dataset(migrated.dataset).access_entries
    authorized = [entry.dataset.dataset_id for entry in entries if entry.dataset]
    assert authorized == [f"{migrated.dataset}{VIEWS_SUFFIX}"]


def test_a_new_column_is_reported_and_added_on_demand(principals: Warehouse, bigquery_settings: Settings) -> None:
    run(principals, "INSERT tenant_principals (principal, user_id) VALUES ('p', 'u')")
    run(principals, "ALTER TABLE tenant_principals DROP COLUMN user_id")
    waiting = [step for step in migrate_tables(principals, bigquery_settings) if step.state == "waiting"]
    expected = "column user_id nothing instead of STRING"
    assert waiting == [Step(f"table {principals.name(TENANT_PRINCIPALS.name)}", "waiting", expected)]
    changed = [
        step for step in migrate_tables(principals, bigquery_settings, apply_changes=True) if step.state == "changed"
    ]
    assert changed == [Step(f"table {principals.name(TENANT_PRINCIPALS.name)}", "changed", expected)]
    assert run(principals, "SELECT * FROM tenant_principals") == [{"principal": "p", "user_id": None}]
    assert "waiting" not in {step.state for step in migrate_tables(principals, bigquery_settings)}


OTHERS = [
    pytest.param(
        "(principal STRING NOT NULL, user_id INT64 NOT NULL, PRIMARY KEY (principal) NOT ENFORCED)",
        "column user_id INT64",
        "column user_id STRING",
        id="another type",
    ),
    pytest.param(
        "(principal STRING, user_id STRING, note STRING, PRIMARY KEY (principal) NOT ENFORCED)",
        "column note STRING",
        "column note no such column",
        id="a column that is declared no more",
    ),
    pytest.param(
        "(principal STRING, user_id STRING, PRIMARY KEY (principal) NOT ENFORCED) PARTITION BY _PARTITIONDATE",
        "partitioning DAY of arrival",
        "partitioning none",
        id="another partitioning",
    ),
]


@pytest.mark.parametrize(("columns", "found", "expected"), OTHERS)
def test_a_change_that_would_lose_rows_is_refused_before_anything_is_done(
    principals: Warehouse, bigquery_settings: Settings, columns: str, found: str, expected: str
) -> None:
    run(principals, f"DROP TABLE tenant_principals; CREATE TABLE tenant_principals {columns}; DROP TABLE ledger")
    with pytest.raises(StorageError) as caught:
        migrate_tables(principals, bigquery_settings, apply_changes=True)
    assert caught.value.object == f"table {principals.name(TENANT_PRINCIPALS.name)}"
    assert (caught.value.found, caught.value.expected) == (found, expected)
    assert "Nothing was changed" in caught.value.remedy
    with pytest.raises(PipelineError, match="Not found: Table"):
        run(principals, "SELECT 1 FROM ledger")


@pytest.mark.parametrize(
    ("made", "what"),
    [
        ("(principal STRING, user_id STRING)", "primary key"),
        ("(principal STRING, user_id STRING, PRIMARY KEY (user_id) NOT ENFORCED)", "primary key"),
        (
            "(principal STRING, user_id STRING, PRIMARY KEY (principal) NOT ENFORCED) CLUSTER BY user_id",
            "clustering",
        ),
    ],
)
def test_what_can_be_mended_without_losing_rows_is_mended(
    principals: Warehouse, bigquery_settings: Settings, made: str, what: str
) -> None:
    run(principals, f"DROP TABLE tenant_principals; CREATE TABLE tenant_principals {made}")
    steps = migrate_tables(principals, bigquery_settings, apply_changes=True)
    assert [step.detail.startswith(what) for step in steps if step.state == "changed"] == [True]
    assert "changed" not in {step.state for step in migrate_tables(principals, bigquery_settings, apply_changes=True)}


def test_a_dataset_at_another_place_is_refused(migrated: Warehouse, bigquery_settings: Settings) -> None:
    elsewhere = bigquery_settings.model_copy(update={"bigquery_location": "asia-east1"})
    with pytest.raises(StorageError, match=r"dataset .* location asia-east1, as AUDIENCE_PIPELINE_BIGQUERY_LOCATION"):
        migrate(migrated, elsewhere)
