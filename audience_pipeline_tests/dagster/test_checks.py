"""The asset checks on stored rows, good ones and damaged ones."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audience_pipeline import open_store
from audience_pipeline.definitions import build_defs
from audience_pipeline.partitions import PARTITION, RANGE_END, RANGE_START
from audience_pipeline.settings import Settings
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, PLATFORMS, SOURCES, USERS, Table
from audience_pipeline_tests.storage import builders
from audience_pipeline_tests.storage.builders import JULY, USER, put, uuid

Checks = Mapping[str, dg.AssetCheckEvaluation]


def check(settings: Settings, table: Table = AUDIENCES, tags: Mapping[str, str] | None = None) -> Checks:
    """Run all checks of a table, and return what each said."""
    job = dg.define_asset_job("look", dg.AssetSelection.checks_for_assets(table.name))
    defs = dg.Definitions.merge(build_defs(settings), dg.Definitions(jobs=[job]))
    result = defs.resolve_job_def("look").execute_in_process(tags=dict(tags or {}))
    return {each.check_name: each for each in result.get_asset_check_evaluations()}


def failed(checks: Checks) -> set[str]:
    return {name for name, evaluation in checks.items() if not evaluation.passed}


def failures(checks: Checks, name: str) -> list[dict[str, Any]]:
    table = checks[name].metadata["failures"]
    assert isinstance(table, dg.TableMetadataValue)
    return [dict(record.data) for record in table.records]


def file_of(settings: Settings, table: Table, month: str = "05") -> Path:
    place = f"year=2025/month={month}/{table.name}_2025_{month}.parquet" if table.by_month else f"{table.name}.parquet"
    return settings.data_dir / table.name / f"user_id={USER}" / place


def damage(path: Path, **columns: list[Any]) -> None:
    """Write other values into a partition file, as another program might."""
    rows = pq.ParquetFile(path).read()
    for name, values in columns.items():
        index = rows.schema.get_field_index(name)
        rows = rows.set_column(index, rows.schema.field(index), pa.array(values, rows.schema.field(index).type))
    pq.write_table(rows, path)


@pytest.fixture
def stored(settings: Settings) -> Settings:
    """Store two rows of each table, the second audience and distribution in July."""
    with open_store(settings) as store:
        put(store, USERS, builders.user(), builders.user("other"))
        put(store, AUDIENCES, builders.full_audience(1), builders.audience(2, created_at=JULY, updated_at=JULY))
        sealed = builders.sealed(builders.platform(1))
        put(store, PLATFORMS, builders.platform(1, credentials=sealed), builders.platform(2))
        put(store, DISTRIBUTIONS, builders.distribution(1), builders.distribution(2, created_at=JULY))
    return settings


@pytest.mark.parametrize("table", SOURCES, ids=lambda table: table.name)
def test_rows_the_store_took_pass_every_check(stored: Settings, table: Table) -> None:
    checks = check(stored, table)
    assert failed(checks) == set()
    assert checks["schema"].metadata["rows checked"].value == 2
    assert checks["schema"].metadata["checked"].value == "whole table"


@pytest.mark.parametrize("table", SOURCES, ids=lambda table: table.name)
def test_a_table_without_rows_passes_every_check(settings: Settings, table: Table) -> None:
    assert failed(check(settings, table)) == set()


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("name", None, "a value"),
        ("status", "lost", "one of draft, active, archived"),
        ("total_audience_size", -1, "at least 0"),
        ("segments", '[{"segment_id":"s1"}]', "JSON of the declared shape"),
        ("metadata", "{", "JSON of the declared shape"),
        ("metadata", '{"tags":' + "[" * 5000 + "]" * 5000 + "}", "JSON of the declared shape"),
    ],
)
def test_a_value_that_breaks_the_declaration_is_shown(
    stored: Settings, column: str, value: object, expected: str
) -> None:
    damage(file_of(stored, AUDIENCES), **{column: [value]})
    checks = check(stored)
    assert failed(checks) == {"schema"}
    (failure,) = failures(checks, "schema")
    assert (failure["audience_id"], failure["column"], failure["expected"]) == (uuid(1), column, expected)
    assert len(str(failure["found"])) <= 81
    assert checks["schema"].metadata["rows failed"].value == 1


def test_a_wrong_uuid_is_shown(stored: Settings) -> None:
    damage(file_of(stored, DISTRIBUTIONS), platform_id=["ABC"])
    checks = check(stored, DISTRIBUTIONS)
    assert failed(checks) == {"schema", "references"}
    assert failures(checks, "schema")[0]["expected"] == "a UUID"


def test_the_text_of_credentials_is_never_shown(stored: Settings) -> None:
    damage(file_of(stored, PLATFORMS), credentials=['{"api_key":"plaintext-secret"}', None])
    checks = check(stored, PLATFORMS)
    assert failures(checks, "schema")[0]["found"] == "not shown"
    assert "plaintext-secret" not in repr(checks)


def test_a_key_in_two_months_is_found_from_either(stored: Settings) -> None:
    damage(file_of(stored, AUDIENCES, "07"), audience_id=[uuid(1)])
    checks = check(stored, tags={PARTITION: "2025-07"})
    assert failed(checks) == {"unique_key"}
    assert failures(checks, "unique_key")[0]["found"] == "the key also in month 202505"


def test_a_key_twice_in_one_file_is_found(stored: Settings) -> None:
    path = file_of(stored, AUDIENCES)
    rows = pq.ParquetFile(path).read()
    pq.write_table(pa.concat_tables([rows, rows]), path)
    checks = check(stored)
    assert failed(checks) == {"unique_key"}
    assert [each["found"] for each in failures(checks, "unique_key")] == ["the key more than once"] * 2


@pytest.mark.parametrize(
    ("column", "value", "belongs"),
    [
        ("user_id", "other/one", "audiences/user_id=other%2Fone/year=2025/month=05/audiences_2025_05.parquet"),
        ("created_at", JULY, f"audiences/user_id={USER}/year=2025/month=07/audiences_2025_07.parquet"),
    ],
)
def test_a_row_in_the_file_of_another_user_or_month_is_found(
    stored: Settings, column: str, value: object, belongs: str
) -> None:
    damage(file_of(stored, AUDIENCES), **{column: [value]})
    checks = check(stored)
    assert failed(checks) == {"placement", "unique_key"}
    (failure,) = failures(checks, "placement")
    assert failure["belongs in"] == belongs


@pytest.mark.parametrize(
    "change",
    [
        lambda: builders.distribution(3, audience_id=uuid(99)),
        lambda: builders.distribution(3, platform_id=uuid(99)),
        lambda: builders.distribution(3, user_id="other"),
    ],
    ids=["absent audience", "absent platform", "another user's"],
)
def test_a_reference_to_what_the_user_does_not_have_is_found(
    stored: Settings, change: Callable[[], builders.Row]
) -> None:
    with open_store(stored) as store:
        put(store, DISTRIBUTIONS, change())
    checks = check(stored, DISTRIBUTIONS)
    assert failed(checks) == {"references"}
    assert {each["distribution_id"] for each in failures(checks, "references")} == {uuid(3)}


@pytest.mark.parametrize(
    ("tags", "expected", "rows"),
    [
        ({PARTITION: "2025-07"}, set(), 1),
        ({PARTITION: "2025-05"}, {"schema"}, 1),
        ({RANGE_START: "2025-06", RANGE_END: "2025-08"}, set(), 1),
        ({RANGE_START: "2025-04", RANGE_END: "2025-07"}, {"schema"}, 2),
    ],
)
def test_only_the_months_of_the_run_are_looked_at(
    stored: Settings, tags: dict[str, str], expected: set[str], rows: int
) -> None:
    damage(file_of(stored, AUDIENCES), status=["lost"])
    checks = check(stored, tags=tags)
    assert failed(checks) == expected
    assert checks["schema"].metadata["rows checked"].value == rows


def test_at_most_twenty_failures_are_shown_and_all_are_counted(settings: Settings) -> None:
    with open_store(settings) as store:
        put(store, AUDIENCES, *(builders.audience(number) for number in range(1, 31)))
    damage(file_of(settings, AUDIENCES), status=["lost"] * 30)
    checks = check(settings)
    assert checks["schema"].metadata["rows failed"].value == 30
    assert len(failures(checks, "schema")) == 20
