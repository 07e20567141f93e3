"""The BigQuery client: statements, loads and reads of a dataset, and jobs that are done once."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from google.cloud.bigquery import SchemaField

from audience_pipeline.errors import StorageError, UnavailableError, UsageError
from audience_pipeline.settings import Settings
from audience_pipeline.storage.bigquery.client import Warehouse, open_warehouse
from audience_pipeline.storage.bigquery.reading import FIRST_ANSWER


@pytest.fixture(scope="module")
def warehouse(bigquery_settings: Settings) -> Iterator[Warehouse]:
    with open_warehouse(bigquery_settings) as opened:
        opened.client.create_dataset(opened.dataset)
        yield opened


def run(warehouse: Warehouse, statement: str, **parameters: Any) -> pa.Table:  # noqa: ANN401
    return warehouse.run(statement, parameters, object="a test", operation="test").arrow()


def test_values_reach_a_statement_as_typed_parameters(warehouse: Warehouse) -> None:
    moment = datetime(2025, 5, 1, 12, tzinfo=UTC)
    values = {"t": "it's", "n": 2**62, "f": 0.5, "b": True, "m": moment, "j": {"a": [1]}, "l": ["x", "y"], "none": None}
    columns = "@t t, @n n, @f f, @b b, @m m, TO_JSON_STRING(@j) j, @l l, @none none"
    (row,) = run(warehouse, f"SELECT {columns}", **values).to_pylist()
    assert row == values | {"j": '{"a":[1]}'}


def test_a_value_of_another_type_is_refused_by_name(warehouse: Warehouse) -> None:
    with pytest.raises(UsageError, match="parameter @v: found a value of type set"):
        run(warehouse, "SELECT @v", v={1})


def test_loaded_rows_are_read_back_as_arrow(warehouse: Warehouse) -> None:
    moments = pa.array([datetime(2025, 5, 1, tzinfo=UTC)] * 2, pa.timestamp("us", tz="UTC"))
    rows = pa.table({"k": ["a", "b"], "l": [["x"], []], "m": moments})
    fields = [SchemaField("k", "STRING"), SchemaField("l", "STRING", mode="REPEATED"), SchemaField("m", "TIMESTAMP")]
    warehouse.load(rows, "loaded", fields, operation="test")
    assert run(warehouse, "SELECT * FROM loaded ORDER BY k").to_pylist() == rows.to_pylist()


@pytest.mark.parametrize("count", [0, FIRST_ANSWER, FIRST_ANSWER + 1])
def test_a_large_result_comes_in_the_types_and_order_of_a_small_one(warehouse: Warehouse, count: int) -> None:
    statement = """
        SELECT n, [FORMAT('%d', n)] l, PARSE_JSON('{}') j, TIMESTAMP_SECONDS(n) m
        FROM UNNEST(GENERATE_ARRAY(1, @count)) n ORDER BY n DESC
    """
    rows = run(warehouse, statement, count=count)
    assert rows.schema.types == [pa.int64(), pa.list_(pa.string()), pa.string(), pa.timestamp("us", tz="UTC")]
    assert rows["n"].to_pylist() == list(range(count, 0, -1))


def test_rows_whose_address_does_not_answer_are_given_up_in_time_and_by_name(
    warehouse: Warehouse, bigquery_settings: Settings
) -> None:
    if not warehouse.emulated:
        pytest.skip("the service has one address")
    nowhere = {"bigquery_storage_endpoint": "127.0.0.1:9", "bigquery_retry_seconds": 1}
    many = "SELECT n FROM UNNEST(GENERATE_ARRAY(1, @count)) n"
    with (
        open_warehouse(bigquery_settings.model_copy(update=nowhere)) as unreachable,
        pytest.raises(UnavailableError, match=r"no answer for a test.*AUDIENCE_PIPELINE_BIGQUERY_STORAGE_ENDPOINT"),
    ):
        run(unreachable, many, count=FIRST_ANSWER + 1)


def test_a_job_of_one_id_runs_once(warehouse: Warehouse) -> None:
    run(warehouse, "CREATE TABLE counted (n INT64)")
    for _ in range(2):
        once = f"once-{warehouse.dataset}"
        done = warehouse.run("INSERT counted (n) VALUES (1)", object="table counted", operation="test", job_id=once)
        assert done.affected == 1
    assert run(warehouse, "SELECT COUNT(*) n FROM counted").to_pylist() == [{"n": 1}]


def test_jobs_are_labelled_with_what_they_do(warehouse: Warehouse) -> None:
    result = warehouse.run("SELECT 1", object="a test", operation="probe")
    job = warehouse.client.get_job(result.job.job_id, location=result.job.location)
    assert job.labels == {"application": "audience_pipeline", "operation": "probe"}


def test_a_missing_table_is_named_with_the_command_that_makes_it(warehouse: Warehouse) -> None:
    with pytest.raises(StorageError, match=r"table audiences: found .*nowhere.*Run `audience-pipeline migrate`"):
        warehouse.run("SELECT * FROM nowhere", object="table audiences", operation="test")
