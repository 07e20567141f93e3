"""Users' own assets on BigQuery: every slice and kind of frame, as from files; replaced whole or not at all."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from audience_pipeline.errors import RefusedError, StorageError, UsageError
from audience_pipeline.settings import Settings
from audience_pipeline.storage.bigquery.client import Warehouse
from audience_pipeline.storage.bigquery.derived import DerivedTable
from audience_pipeline_tests.dagster.bigquery import Both, both, warehouse
from audience_pipeline_tests.dagster.runs import MONTHS, failure, materialize, metadata

__all__ = ["both", "warehouse"]
pytestmark = pytest.mark.slow

ROWS = pa.table(
    {
        "created_at": pa.array([datetime(2025, 4, 30, 23, 59, 59), datetime(2025, 6, 1)], pa.timestamp("ms")),  # noqa: DTZ001
        "user_id": ["Ö", "it's"],
        "people": pa.array([2**32 - 1, None], pa.uint32()),
        "share": pa.array([0.1, None], pa.float32()),
        "codes": [["a", "b"], []],
        "day": [date(2025, 4, 30), None],
        "price": pa.array([Decimal("1.50"), None], pa.decimal128(38, 2)),
        "sent": pa.array([datetime(2025, 4, 30), None], pa.timestamp("us", "Europe/Berlin")),  # noqa: DTZ001
        "best": [{"name": "x", "tags": ["y"]}, {"name": None, "tags": []}],
        "sure": [True, None],
    }
)
JUNE = ROWS.slice(1)
KINDS: dict[Any, Callable[[pa.Table], Any]] = {
    pa.Table: lambda rows: rows,
    pl.DataFrame: pl.from_arrow,
    pd.DataFrame: lambda rows: rows.to_pandas(),
}


def assets(name: str, kind: type, frame: Any, months: Any, seen: list[Any]) -> list[dg.AssetsDefinition]:  # noqa: ANN401
    """Return an asset that gives ``frame``, and one that takes it as ``kind``."""
    partitions = MONTHS if months else None

    @dg.asset(name=name, partitions_def=partitions)
    def given() -> Any:  # noqa: ANN401 - any kind of frame
        return frame

    @dg.asset(name=f"{name}_reader", partitions_def=partitions, ins={"rows": dg.AssetIn(name)})
    def reader(rows: kind) -> None:  # type: ignore[valid-type]
        seen.append(rows)

    return [given, reader]


def write(
    settings: Settings,
    name: str,
    frame: pa.Table,
    months: str | tuple[str, str] | None = None,
    *,
    partition_expr: str = "created_at",
) -> dg.ExecuteInProcessResult:
    """Materialize an asset that returns ``frame``."""

    @dg.asset(name=name, partitions_def=MONTHS if months else None, metadata={"partition_expr": partition_expr})
    def given() -> pa.Table:
        return frame

    return materialize(settings, [given], months=months, raise_on_error=False)


@pytest.mark.parametrize(
    ("name", "kind", "months", "rows"),
    [
        ("monthly", pa.Table, "2025-06", JUNE),
        ("ranged", pl.DataFrame, ("2025-04", "2025-06"), ROWS),
        ("whole", pa.Table, None, ROWS),
        ("paneled", pd.DataFrame, "2025-06", JUNE.select(["created_at", "user_id", "share"])),
        ("empty_month", pa.Table, "2025-06", ROWS.schema.empty_table()),
        ("empty_whole", pl.DataFrame, None, ROWS.schema.empty_table()),
    ],
)
def test_a_frame_is_read_as_from_files(both: Both, name: str, kind: type, months: Any, rows: pa.Table) -> None:  # noqa: ANN401
    found: list[Any] = []
    for settings in both.each:
        result = materialize(settings, assets(name, kind, KINDS[kind](rows), months, found), months=months)
        assert rows.num_rows in metadata(result, name).values()
    assert isinstance(found[1], kind)
    files, dataset = (frame if kind is pa.Table else pl.DataFrame(frame).to_arrow() for frame in found)
    assert dataset.schema == files.schema
    assert dataset.sort_by("created_at").equals(files)


def test_metadata_names_the_table_and_what_it_has(both: Both, warehouse: Warehouse) -> None:
    month = metadata(write(both.bigquery, "told", ROWS, ("2025-04", "2025-06")), "told")
    whole = metadata(write(both.bigquery, "told_whole", ROWS), "told_whole")
    assert month["dagster/table_name"] == warehouse.name("derived_told")
    assert month["dagster/uri"] == f"bigquery://{warehouse.project}/{warehouse.dataset}/derived_told"
    assert "`created_at` >= '2025-04-01' AND `created_at` < '2025-07-01'" in str(month["query"])
    assert (month["rows"], whole["dagster/row_count"]) == (2, 2)
    assert month["table bytes"] == whole["dagster/size_bytes"] != 0


def test_a_table_is_partitioned_by_month_and_clustered_by_tenant(both: Both, warehouse: Warehouse) -> None:
    write(both.bigquery, "native", JUNE, "2025-06")
    by_day = JUNE.set_column(5, "day", [[date(2025, 6, 3)]])
    write(both.bigquery, "by_day", by_day, "2025-06", partition_expr="day")
    for name, column in (("native", "created_at"), ("by_day", "day")):
        table = warehouse.client.get_table(warehouse.name(f"derived_{name}"))
        assert (table.time_partitioning.type_, table.time_partitioning.field) == ("MONTH", column)
        assert table.clustering_fields == ["user_id"]


def test_replacing_a_month_leaves_the_others_and_nothing_staged(both: Both, warehouse: Warehouse) -> None:
    for months, people in (("2025-05", 1), ("2025-06", 2), ("2025-06", 3)):
        write(
            both.bigquery,
            "replaced",
            pa.table({"people": [people], "created_at": [datetime.fromisoformat(f"{months}-01")]}),
            months,
        )
    assert sorted(DerivedTable(warehouse, ["replaced"]).read((202505, 202506))["people"].to_pylist()) == [1, 3]
    names = [table.table_id for table in warehouse.client.list_tables(warehouse.dataset)]
    assert [name for name in names if name.startswith("staging_")] == []


def test_a_month_nobody_wrote_is_named_and_one_written_empty_is_empty(both: Both, warehouse: Warehouse) -> None:
    table = DerivedTable(warehouse, ["seldom"])
    months = {"2025-05": JUNE.slice(0, 0), "2025-06": JUNE}
    for month, rows in months.items():
        write(both.bigquery, "seldom", rows, month)
    assert table.read((202505, 202505)).schema == JUNE.schema
    reading = assets("seldom", pa.Table, JUNE, "2025-04", [])
    result = materialize(both.bigquery, reading, months="2025-04", selection=["seldom_reader"], raise_on_error=False)
    assert "derived table seldom: found no month from 202504 to 202504, expected a table that" in failure(result)
    warehouse.run("DROP TABLE derived_seldom", object="a test", operation="test")
    write(both.bigquery, "seldom", JUNE, "2025-06")
    with pytest.raises(UsageError, match="no month from 202505"):
        table.read((202505, 202505))


def test_first_months_written_at_once_are_all_there(warehouse: Warehouse) -> None:
    def replace(month: int) -> None:
        DerivedTable(warehouse, ["raced"]).replace({month: pa.table({"month": [month]})}, None)

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(replace, (202504, 202505, 202506)))
    rows = DerivedTable(warehouse, ["raced"]).read((202504, 202506))
    assert sorted(rows["month"].to_pylist()) == [202504, 202505, 202506]


def test_a_write_that_fails_changes_nothing(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    table = DerivedTable(warehouse, ["kept"])
    table.replace({202505: pa.table({"n": [1]})}, None)
    nowhere = DerivedTable(warehouse, ["nowhere"])
    monkeypatch.setattr("audience_pipeline.storage.bigquery.derived.WRITTEN_MONTHS", nowhere)
    with pytest.raises(StorageError, match="nowhere"):
        table.replace({202505: pa.table({"n": [2]})}, None)
    monkeypatch.undo()
    assert table.read((202505, 202505)).to_pylist() == [{"n": 1}]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (pa.table({"n": ["one"]}), "n of type string, expected int64, as in its other months"),
        (pa.table({"m": [1]}), "columns m, partition_month, expected n, partition_month, as in its other months"),
    ],
)
def test_a_month_unlike_the_others_is_refused(warehouse: Warehouse, rows: pa.Table, found: str) -> None:
    table = DerivedTable(warehouse, ["alike"])
    table.replace({202505: pa.table({"n": [1]})}, None)
    with pytest.raises(RefusedError, match=found):
        table.replace({202506: rows}, None)
    table.replace({202506: pa.table({"n": pa.nulls(1)})}, None)
    assert table.read((202506, 202506)).to_pylist() == [{"n": None}]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (pa.table({"n": [[[1]]]}), "column n of type list<item: list"),
        (pa.table({"n": pa.array([1], pa.duration("us"))}), r"column n of type duration\[us\], expected numbers"),
        (pa.table({"n": [["a", None]]}), "a null in a list of n"),
        (pa.table({"size %": [1]}), "column 'size %'"),
        (pa.table({"n": [1], "N": [1]}), "column 'N'"),
        (pa.table({"n": pa.array([2**63], pa.uint64())}), "9223372036854775808"),
        (pa.table({"t": pa.array([1], pa.timestamp("ns"))}), "would lose data"),
        (pa.table({}), "no columns"),
    ],
)
def test_what_bigquery_cannot_hold_is_refused_by_name(warehouse: Warehouse, rows: pa.Table, found: str) -> None:
    with pytest.raises(RefusedError, match=found):
        DerivedTable(warehouse, ["odd"]).replace({0: rows}, None)


def test_a_whole_table_takes_other_columns_but_no_other_layout(warehouse: Warehouse) -> None:
    table = DerivedTable(warehouse, ["changing"])
    table.replace({0: pa.table({"user_id": ["a"], "n": [1]})}, None)
    table.replace({0: pa.table({"user_id": ["b"], "m": ["x"]})}, None)
    assert table.read(None).to_pylist() == [{"user_id": "b", "m": "x"}]
    with pytest.raises(RefusedError, match=r"clustering by user_id.*Drop .*derived_changing"):
        table.replace({0: pa.table({"m": ["x"]})}, None)
    with pytest.raises(RefusedError, match="partitioning by nothing, expected partitioning by partition_month"):
        table.replace({202505: pa.table({"m": ["x"]})}, None)
