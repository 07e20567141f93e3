"""What Dagster does on BigQuery: landing, materializing and checking come to the same tables as with files."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pytest

from audience_pipeline import open_store
from audience_pipeline.definitions import build_defs
from audience_pipeline.settings import Settings
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, PLATFORMS, SOURCES, USERS, Table
from audience_pipeline_tests.dagster.bigquery import Both, both, warehouse
from audience_pipeline_tests.dagster.runs import fold, metadata
from audience_pipeline_tests.dagster.test_landing_job import audience, distribution, drop, platform
from audience_pipeline_tests.storage import builders
from audience_pipeline_tests.storage.builders import put, uuid

__all__ = ["both", "warehouse"]
pytestmark = pytest.mark.slow

MONTHS: dict[Table, Any] = {
    USERS: None,
    AUDIENCES: ("2025-05", "2025-07"),
    PLATFORMS: None,
    DISTRIBUTIONS: "2025-05",
}
REPORTED = ("content digest", "inserted", "updated", "unchanged", "stale", "refused", "rows", "dagster/row_count")
CHECKS = {table: {"schema", "unique_key", "placement", "refusals"} for table in SOURCES}
CHECKS[DISTRIBUTIONS] |= {"references"}


def send(settings: Settings) -> None:
    """Drop files of every table: two months, a newer record, one for nobody and one that is no JSON."""
    member = {"user_id": "user123", "created_at": "2025-05-01T00:00:00Z"}
    drop(settings, "users/u.ndjson", [member])
    drop(settings, "audiences/a.ndjson", [audience(1, metadata={"notes": "1 < 2"}), audience(2, "2025-07"), "{"])
    drop(settings, "audiences/b.ndjson", [audience(1, name="new", updated_at="2025-06-01T00:00:00Z")])
    drop(settings, "platforms/p.ndjson", [platform()])
    drop(settings, "distributions/d.ndjson", [distribution(1), distribution(2, audience_id=uuid(9))])


def land(settings: Settings) -> set[tuple[str, str | None]]:
    """Run the landing job, and return what it reported."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = build_defs(settings).resolve_job_def("landing").execute_in_process(instance=instance)
        logs = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    events = [event for log in logs if (event := log.asset_materialization)]
    return {(event.asset_key.to_user_string(), event.partition) for event in events}


def materialize(settings: Settings) -> Mapping[str, Mapping[str, object]]:
    """Materialize and check every table; return what each reported that must not depend on the backend."""
    reported = {}
    for table, months in MONTHS.items():
        result = fold(settings, table, months=months)
        checks = {each.check_name: each.passed for each in result.get_asset_check_evaluations()}
        assert checks == dict.fromkeys(CHECKS[table], True)
        found = metadata(result, table.name)
        reported[table.name] = {name: found[name] for name in REPORTED if name in found}
    return reported


def failed(settings: Settings, table: Table) -> dict[str, str]:
    """Run all checks of a table; return what those said that failed."""
    job = dg.define_asset_job("look", dg.AssetSelection.checks_for_assets(table.name))
    defs = dg.Definitions.merge(build_defs(settings), dg.Definitions(jobs=[job]))
    found = defs.resolve_job_def("look").execute_in_process().get_asset_check_evaluations()
    return {each.check_name: str(each.description) for each in found if not each.passed}


@pytest.mark.usefixtures("warehouse")
def test_the_loop_comes_to_the_same_on_both_backends(both: Both) -> None:
    landed, first, again, digests = [], [], [], []
    for settings in both.each:
        send(settings)
        landed.append(land(settings))
        assert land(settings) == set()
        first.append(materialize(settings))
        again.append(materialize(settings))
        with open_store(settings) as store:
            digests.append({table.name: store.digests(table) for table in SOURCES})
    assert landed[0] == landed[1]
    assert ("landed_audiences", "2025-07") in landed[1]
    assert first[0] == first[1]
    assert again[0] == again[1]
    assert digests[0] == digests[1]
    assert [(each["inserted"], each["unchanged"]) for each in again[1].values()] == [(0, 1), (0, 2), (0, 1), (0, 1)]


def test_checks_find_what_other_programs_did_to_the_tables(both: Both, warehouse: Warehouse) -> None:
    with open_store(both.bigquery) as store:
        put(store, AUDIENCES, builders.audience(3), builders.audience(4))
        put(store, PLATFORMS, builders.platform(3))
        put(store, DISTRIBUTIONS, builders.distribution(3, audience_id=uuid(3), platform_id=uuid(8)))
    platforms = warehouse.client.get_table(warehouse.name("platforms"))
    platforms.clustering_fields = ["status"]
    warehouse.client.update_table(platforms, ["clustering_fields"])
    for statement in (
        "INSERT audiences SELECT * FROM audiences WHERE audience_id = @three",
        "UPDATE audiences SET status = 'lost' WHERE audience_id = @four",
    ):
        warehouse.run(statement, {"three": uuid(3), "four": uuid(4)}, object="a test", operation="test")
    assert set(failed(both.bigquery, AUDIENCES)) == {"schema", "unique_key"}
    assert set(failed(both.bigquery, DISTRIBUTIONS)) == {"references"}
    assert set(failed(both.bigquery, PLATFORMS)) == {"placement"}


def test_metadata_names_the_documented_table(both: Both, warehouse: Warehouse) -> None:
    found = metadata(fold(both.bigquery, AUDIENCES, months="2024-02"), "audiences")
    assert found["dagster/table_name"] == warehouse.name("audiences")
    assert found["dagster/partition_row_count"] == 0
    assert "table bytes" in found
