"""Who sees which rows in BigQuery: a tenant's principal its own, anybody else none, the pipeline all."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from google.cloud import bigquery
from google.oauth2.credentials import Credentials

from audience_pipeline.settings import Settings
from audience_pipeline.storage.bigquery.client import Warehouse, open_warehouse
from audience_pipeline.storage.bigquery.migration import Migration
from audience_pipeline.storage.bigquery.placing import VIEWS_SUFFIX
from audience_pipeline.tables import STORED
from audience_pipeline.tables.bigquery import KEPT

ANNA, BERT = "anna@acme.example", "bert@bolt.example"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def migrated(bigquery_endpoint: dict[str, Any], bigquery_settings: Settings) -> Iterator[Warehouse]:
    if "bigquery_api_endpoint" not in bigquery_endpoint:
        pytest.skip("the service has no accounts of these names")
    with open_warehouse(bigquery_settings) as warehouse:
        steps = Migration(warehouse, bigquery_settings).run(apply_changes=False, access=True)
        assert [step.detail for step in steps if step.state == "skipped"] == ["an emulator has none"]
        run(warehouse, "INSERT users (user_id, created_at) SELECT u, '2025-05-01' FROM UNNEST(['acme', 'bolt']) u")
        for principal, user in ((ANNA, "acme"), (BERT, "bolt")):
            run(warehouse, "INSERT tenant_principals (principal, user_id) VALUES (@p, @u)", p=principal, u=user)
        yield warehouse


def run(warehouse: Warehouse, statement: str, **parameters: str) -> list[dict[str, object]]:
    result = warehouse.run(statement, parameters, object="a test", operation="test")
    rows: list[dict[str, object]] = result.arrow().to_pylist()
    return rows


def seen_by(principal: str, settings: Settings, dataset: str) -> list[str]:
    """Return the tenants whose rows a principal finds among the users of a dataset."""
    client = client_of(principal, settings, dataset)
    try:
        return [row["user_id"] for row in client.query("SELECT user_id FROM users ORDER BY user_id").result()]
    finally:
        client.close()


def client_of(principal: str, settings: Settings, dataset: str) -> bigquery.Client:
    """Return a client by which a principal reads and writes a dataset."""
    return bigquery.Client(
        project=settings.bigquery_project,
        credentials=signed_in(principal),
        client_options={"api_endpoint": settings.bigquery_api_endpoint},
        default_query_job_config=bigquery.QueryJobConfig(default_dataset=f"{settings.bigquery_project}.{dataset}"),
    )


def signed_in(principal: str) -> Credentials:
    """Return credentials by which the emulator knows the caller: a token that only states who it is."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in ({}, {"email": principal})]
    return Credentials(".".join([*parts, "unsigned"]))


@pytest.mark.parametrize(("principal", "tenants"), [(ANNA, ["acme"]), (BERT, ["bolt"]), ("nobody@else.example", [])])
@pytest.mark.parametrize("suffix", ["", VIEWS_SUFFIX])
def test_a_principal_sees_the_rows_of_its_own_tenant(
    migrated: Warehouse, bigquery_settings: Settings, principal: str, tenants: list[str], suffix: str
) -> None:
    assert seen_by(principal, bigquery_settings, f"{migrated.dataset}{suffix}") == tenants


def test_the_pipeline_sees_and_changes_the_rows_of_all_tenants(migrated: Warehouse) -> None:
    assert run(migrated, "SELECT user_id FROM users ORDER BY user_id") == [{"user_id": "acme"}, {"user_id": "bolt"}]
    statement = "UPDATE users SET email = 'x@acme.example' WHERE user_id = 'acme'"
    assert migrated.run(statement, object="a test", operation="test").affected == 1


def test_an_administrator_who_sees_no_row_migrates_again_and_leaves_one_fence(
    migrated: Warehouse, bigquery_settings: Settings
) -> None:
    with open_warehouse(bigquery_settings) as warehouse:
        warehouse.client = client_of("admin@acme.example", bigquery_settings, migrated.dataset)
        assert run(warehouse, "SELECT key FROM keys_users") == []
        steps = Migration(warehouse, bigquery_settings).tables(apply_changes=False)
    assert {step.state for step in steps} == {"unchanged"}
    assert run(migrated, "SELECT key, phase FROM keys_users") == [{"key": "", "phase": "fence"}]


def test_every_table_with_rows_of_tenants_has_both_policies(migrated: Warehouse) -> None:
    policed = [table.name for table in KEPT if "user_id" in table.by_name and table.name != "tenant_principals"]
    assert {table.name for table in STORED} < set(policed)
    for name in policed:
        path = f"/projects/{migrated.project}/datasets/{migrated.dataset}/tables/{name}/rowAccessPolicies"
        answer = migrated.client._connection.api_request(method="GET", path=path)
        filters = {
            each["rowAccessPolicyReference"]["policyId"]: each["filterPredicate"]
            for each in answer["rowAccessPolicies"]
        }
        assert set(filters) == {"pipeline", "tenants"}
        assert filters["pipeline"] == "TRUE"
