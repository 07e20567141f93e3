"""The code location: what it holds, what importing it costs, and how it fails."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from audience_pipeline.definitions import build_defs
from audience_pipeline.resources import Clock
from audience_pipeline.settings import PREFIX, Settings
from audience_pipeline.tables import SOURCES, TABLES, Table
from audience_pipeline.tables.match_rates import MATCH_RATES

GRAPH = {
    "audiences": ("tables", "month", ["landed_audiences"]),
    "distributions": ("tables", "month", ["landed_distributions"]),
    "distributions_archive": ("tables", "whole", ["distributions"]),
    "landed_audiences": ("landed", "month", []),
    "landed_distributions": ("landed", "month", []),
    "landed_platforms": ("landed", "whole", []),
    "landed_users": ("landed", "whole", []),
    "match_rates": ("analytics", "month", ["distributions"]),
    "platforms": ("tables", "whole", ["landed_platforms"]),
    "users": ("tables", "whole", ["landed_users"]),
}
DERIVED = {"match_rates"}
EVERY_TABLE = ["placement", "refusals", "schema", "unique_key"]
CHECKS = {
    "audiences": EVERY_TABLE,
    "distributions": sorted([*EVERY_TABLE, "references"]),
    "distributions_archive": ["archived_in_time"],
    "platforms": EVERY_TABLE,
    "users": EVERY_TABLE,
}
ROOT = Path(__file__).parent.parent.parent
HEAVY = ("pandas", "pandera", "google.cloud", "dagster_gcp", "pyarrow", "numpy")


def specs(defs: dg.Definitions) -> Mapping[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def test_the_asset_graph_is_the_one_on_record(defs: dg.Definitions) -> None:
    found = {
        name: (
            spec.group_name,
            "month" if isinstance(spec.partitions_def, dg.TimeWindowPartitionsDefinition) else "whole",
            sorted(dep.asset_key.to_user_string() for dep in spec.deps),
        )
        for name, spec in specs(defs).items()
    }
    assert found == GRAPH


def test_the_checks_are_those_on_record(defs: dg.Definitions) -> None:
    found: dict[str, list[str]] = {}
    for key in defs.resolve_asset_graph().asset_check_keys:
        found.setdefault(key.asset_key.to_user_string(), []).append(key.name)
    assert {name: sorted(checks) for name, checks in found.items()} == CHECKS


def test_the_definitions_can_be_loaded(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


def test_every_asset_says_who_owns_it_what_it_is_and_where_it_is(defs: dg.Definitions, settings: Settings) -> None:
    for name, spec in specs(defs).items():
        assert spec.owners
        assert "parquet" in spec.kinds
        assert spec.description
        assert name in DERIVED or spec.description.startswith(TABLES[name].doc)
        directory = settings.data_dir / "derived" if name in DERIVED else settings.data_dir
        assert spec.metadata["dagster/uri"] == (directory / name).as_uri()


def test_on_bigquery_every_asset_says_which_table_it_is(tmp_path: Path) -> None:
    settings = Settings(
        backend="bigquery", data_dir=tmp_path, bigquery_project="acme-data", bigquery_dataset="audiences"
    )
    for name, spec in specs(build_defs(settings)).items():
        assert "bigquery" in spec.kinds
        table = f"derived_{name}" if name in DERIVED else name
        assert spec.metadata["dagster/table_name"] == f"acme-data.audiences.{table}"
        assert spec.metadata["dagster/uri"] == f"bigquery://acme-data/audiences/{table}"


def test_the_column_schema_is_the_declaration(defs: dg.Definitions) -> None:
    for name, spec in specs(defs).items():
        schema = spec.metadata["dagster/column_schema"]
        if name in DERIVED:
            assert [column.name for column in schema.columns] == list(MATCH_RATES)
            continue
        declared = [(column.name, column.doc, not column.required) for column in TABLES[name].columns]
        assert [(each.name, each.description, each.constraints.nullable) for each in schema.columns] == declared


@pytest.mark.parametrize("table", SOURCES, ids=lambda table: table.name)
def test_each_column_comes_from_the_landed_column_of_its_name(defs: dg.Definitions, table: Table) -> None:
    lineage = specs(defs)[table.name].metadata["dagster/column_lineage"].deps_by_column
    assert {
        name: [(dep.asset_key.to_user_string(), dep.column_name) for dep in deps] for name, deps in lineage.items()
    } == {name: [(f"landed_{table.name}", name)] for name in table.column_names}


def test_a_resource_can_be_replaced(settings: Settings) -> None:
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    seen = []

    @dg.asset
    def clock_reader(clock: dg.ResourceParam[Clock]) -> None:
        seen.append(clock())

    defs = dg.Definitions.merge(
        build_defs(settings, resources={"clock": lambda: moment}), dg.Definitions([clock_reader])
    )
    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dg.AssetKey("clock_reader")]
    )
    assert result.success
    assert seen == [moment]


@pytest.mark.parametrize("backend", ["parquet", "bigquery"])
def test_importing_the_code_location_touches_no_file_and_no_heavy_library(tmp_path: Path, backend: str) -> None:
    names = {"BACKEND": backend, "BIGQUERY_PROJECT": "acme-data", "BIGQUERY_DATASET": "audiences"}
    environment = os.environ | {f"{PREFIX}{name}": value for name, value in names.items()}
    code = f"""
import json, os, sys
import audience_pipeline.definitions
print(json.dumps([[name for name in {HEAVY!r} if name in sys.modules], os.listdir()]))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], []]


def test_a_wrong_setting_stops_the_load_and_is_named() -> None:
    command = [sys.executable, "-c", "import audience_pipeline.definitions"]
    environment = os.environ | {f"{PREFIX}FIRST_MONTH": "May"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "AUDIENCE_PIPELINE_FIRST_MONTH: found 'May', expected a month such as '2024-01'." in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", [["dagster", "definitions", "validate"], ["dg", "check", "defs"]], ids=" ".join)
def test_dagster_finds_nothing_wrong(tmp_path: Path, command: list[str]) -> None:
    program = str(Path(sys.executable).with_name(command[0]))
    environment = os.environ | {"DAGSTER_HOME": str(tmp_path)}
    arguments = [program, *command[1:]]
    done = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "BetaWarning" not in done.stderr
