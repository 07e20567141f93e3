"""Migrating BigQuery: made once, repeated without a change, changed on demand, and never at the cost of rows."""

from collections.abc import Iterator

import pytest

from audience_pipeline.errors import PipelineError, StorageError
from audience_pipeline.settings import Settings
from audience_pipeline.storage.bigquery.client import Warehouse, open_warehouse
from audience_pipeline.storage.bigquery.migration import Migration, Step
from audience_pipeline.storage.bigquery.placing import VIEWS_SUFFIX
from audience_pipeline.tables import LEASES, STORED
from audience_pipeline.tables.bigquery import KEPT


@pytest.fixture(scope="module")
def migrated(bigquery_settings: Settings) -> Iterator[Warehouse]:
    with open_warehouse(bigquery_settings) as warehouse:
        steps = migrate(warehouse, bigquery_settings)
        assert {step.state for step in steps if step.object.startswith(("dataset", "table "))} == {"made"}
        yield warehouse


@pytest.fixture
def leases(migrated: Warehouse, bigquery_settings: Settings) -> Iterator[Warehouse]:
    """A warehouse whose table of leases a test may change."""
    yield migrated
    run(migrated, "DROP TABLE leases")
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
    run(migrated, "INSERT tenant_principals (principal, user_id) VALUES ('a@b.example', 'u1')")
    Migration(migrated, bigquery_settings).run(apply_changes=True, access=False)
    assert run(migrated, "SELECT user_id FROM tenant_principals") == [{"user_id": "u1"}]


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


def test_a_new_column_is_reported_and_added_on_demand(leases: Warehouse, bigquery_settings: Settings) -> None:
    run(leases, "INSERT leases (name, holder, expires_at) VALUES ('n', 'h', TIMESTAMP '2025-05-01')")
    run(leases, "ALTER TABLE leases DROP COLUMN expires_at")
    waiting = [step for step in migrate_tables(leases, bigquery_settings) if step.state == "waiting"]
    expected = "column expires_at nothing instead of TIMESTAMP"
    assert waiting == [Step(f"table {leases.name(LEASES.name)}", "waiting", expected)]
    changed = [
        step for step in migrate_tables(leases, bigquery_settings, apply_changes=True) if step.state == "changed"
    ]
    assert changed == [Step(f"table {leases.name(LEASES.name)}", "changed", expected)]
    assert run(leases, "SELECT * FROM leases") == [{"name": "n", "holder": "h", "expires_at": None}]
    assert "waiting" not in {step.state for step in migrate_tables(leases, bigquery_settings)}


OTHERS = [
    pytest.param(
        "(name STRING NOT NULL, holder INT64 NOT NULL, expires_at TIMESTAMP, PRIMARY KEY (name) NOT ENFORCED)",
        "column holder INT64",
        "column holder STRING",
        id="another type",
    ),
    pytest.param(
        "(name STRING, holder STRING, expires_at TIMESTAMP, note STRING, PRIMARY KEY (name) NOT ENFORCED)",
        "column note STRING",
        "column note no such column",
        id="a column that is declared no more",
    ),
    pytest.param(
        "(name STRING, holder STRING, expires_at TIMESTAMP, PRIMARY KEY (name) NOT ENFORCED)"
        " PARTITION BY DATE(expires_at)",
        "partitioning DATE(expires_at)",
        "partitioning none",
        id="another partitioning",
    ),
]


@pytest.mark.parametrize(("columns", "found", "expected"), OTHERS)
def test_a_change_that_would_lose_rows_is_refused_before_anything_is_done(
    leases: Warehouse, bigquery_settings: Settings, columns: str, found: str, expected: str
) -> None:
    run(leases, f"DROP TABLE leases; CREATE TABLE leases {columns}; DROP TABLE ledger")
    with pytest.raises(StorageError) as caught:
        migrate_tables(leases, bigquery_settings, apply_changes=True)
    assert caught.value.object == f"table {leases.name(LEASES.name)}"
    assert (caught.value.found, caught.value.expected) == (found, expected)
    assert "Nothing was changed" in caught.value.remedy
    with pytest.raises(PipelineError, match="Not found: Table"):
        run(leases, "SELECT 1 FROM ledger")


@pytest.mark.parametrize(
    ("made", "what"),
    [
        ("(name STRING, holder STRING, expires_at TIMESTAMP)", "primary key"),
        (
            "(name STRING, holder STRING, expires_at TIMESTAMP, PRIMARY KEY (name) NOT ENFORCED) CLUSTER BY holder",
            "clustering",
        ),
    ],
)
def test_what_can_be_mended_without_losing_rows_is_mended(
    leases: Warehouse, bigquery_settings: Settings, made: str, what: str
) -> None:
    run(leases, f"DROP TABLE leases; CREATE TABLE leases {made}")
    steps = migrate_tables(leases, bigquery_settings, apply_changes=True)
    assert [step.detail.startswith(what) for step in steps if step.state == "changed"] == [True]
    assert "changed" not in {step.state for step in migrate_tables(leases, bigquery_settings, apply_changes=True)}


def test_a_dataset_at_another_place_is_refused(migrated: Warehouse, bigquery_settings: Settings) -> None:
    elsewhere = bigquery_settings.model_copy(update={"bigquery_location": "asia-east1"})
    with pytest.raises(StorageError, match=r"dataset .* location asia-east1, as AUDIENCE_PIPELINE_BIGQUERY_LOCATION"):
        migrate(migrated, elsewhere)
