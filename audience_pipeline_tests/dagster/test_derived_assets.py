"""Users' own assets on the IO manager: every kind of frame, for a month, a range and a whole table, empty or not."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audience_pipeline.settings import Settings
from audience_pipeline_tests.dagster.runs import MONTHS, failure, materialize, metadata

SCHEMA = pa.schema(
    [
        ("created_at", pa.timestamp("ms")),
        ("size", pa.int64()),
        ("name", pa.string()),
        ("codes", pa.list_(pa.string())),
    ]
)
ROWS = pa.Table.from_pylist(
    [
        {"created_at": datetime(2025, 4, 30, 23, 59, 59), "size": 2**53 + 1, "name": "Ö", "codes": ["a", "b"]},  # noqa: DTZ001
        {"created_at": datetime(2025, 6, 1), "size": None, "name": None, "codes": []},  # noqa: DTZ001
        {"created_at": datetime(2025, 6, 2), "size": 0, "name": "", "codes": ["c"]},  # noqa: DTZ001
    ],
    schema=SCHEMA,
)
EMPTY = SCHEMA.empty_table()
KINDS: dict[Any, Callable[[pa.Table], Any]] = {
    pa.Table: lambda rows: rows,
    pl.DataFrame: pl.from_arrow,
    pl.LazyFrame: lambda rows: pl.DataFrame(rows).lazy(),
    pd.DataFrame: lambda rows: rows.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get),
}
SLICES: dict[str, tuple[str, str] | str | None] = {
    "month": "2025-06",
    "range": ("2025-04", "2025-06"),
    "whole": None,
}


def in_slice(rows: pa.Table, months: tuple[str, str] | str | None) -> pa.Table:
    return rows.slice(1) if months == "2025-06" else rows


def as_rows(frame: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any kind of frame
    """Return the rows of any frame as plain values, sorted by time."""
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    if isinstance(frame, pd.DataFrame):
        frame = pa.Table.from_pandas(frame, preserve_index=False)
    if isinstance(frame, pa.Table):
        frame = pl.DataFrame(frame)
    return frame.sort("created_at").to_dicts() if len(frame) else []


def assets(kind: type, frame: pa.Table, *, by_month: bool, seen: list[Any]) -> list[dg.AssetsDefinition]:
    """Return an asset that gives ``frame`` as ``kind``, and one that takes it as ``kind``."""
    partitions = MONTHS if by_month else None

    @dg.asset(partitions_def=partitions)
    def sizes() -> kind:  # type: ignore[valid-type]
        given: kind = KINDS[kind](frame)  # type: ignore[valid-type]
        return given

    @dg.asset(partitions_def=partitions)
    def reader(sizes: kind) -> None:  # type: ignore[valid-type]
        seen.append(sizes)

    return [sizes, reader]


@pytest.mark.parametrize("rows", [ROWS, EMPTY], ids=["rows", "empty"])
@pytest.mark.parametrize("slice_", SLICES)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.__module__.partition('.')[0]}.{kind.__name__}")
def test_a_frame_comes_back_as_it_went(settings: Settings, kind: type, slice_: str, rows: pa.Table) -> None:
    months = SLICES[slice_]
    seen: list[Any] = []
    frame = in_slice(rows, months)
    result = materialize(settings, assets(kind, frame, by_month=months is not None, seen=seen), months=months)
    (found,) = seen
    assert isinstance(found, kind)
    assert as_rows(found) == as_rows(frame)
    assert list(metadata(result, "sizes").values()).count(frame.num_rows) >= 1


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.__module__.partition('.')[0]}.{kind.__name__}")
def test_an_empty_month_is_a_file_with_columns_and_types(settings: Settings, kind: type) -> None:
    materialize(settings, assets(kind, EMPTY, by_month=True, seen=[]), months="2025-05")
    path = settings.data_dir / "derived/sizes/year=2025/month=05/sizes_2025_05.parquet"
    assert pq.ParquetFile(path).schema_arrow.names == SCHEMA.names


def test_replacing_a_month_leaves_the_others_as_they_are(settings: Settings) -> None:
    @dg.asset(partitions_def=MONTHS)
    def sizes(context: dg.AssetExecutionContext) -> pl.DataFrame:
        return pl.DataFrame({"month": [context.partition_key], "run": [context.run.run_id]})

    first = materialize(settings, [sizes], months="2025-04")
    materialize(settings, [sizes], months="2025-05")
    second = materialize(settings, [sizes], months="2025-05")
    frame = pl.read_parquet(settings.data_dir / "derived/sizes/**/*.parquet", hive_partitioning=False)
    assert frame.sort("month").rows() == [("2025-04", first.run_id), ("2025-05", second.run_id)]


def test_an_unpartitioned_asset_reads_all_months_of_a_partitioned_one(settings: Settings) -> None:
    seen: list[pa.Table] = []

    @dg.asset(partitions_def=MONTHS)
    def sizes() -> pa.Table:
        return ROWS

    @dg.asset
    def total(sizes: pa.Table) -> None:
        seen.append(sizes)

    materialize(settings, [sizes], months=("2025-04", "2025-06"))
    materialize(settings, [sizes, total], selection=["total"])
    assert seen[0].num_rows == 3


def test_only_the_columns_asked_for_are_read(settings: Settings) -> None:
    seen: list[pl.DataFrame] = []

    @dg.asset
    def sizes() -> pa.Table:
        return ROWS

    @dg.asset(ins={"sizes": dg.AssetIn(metadata={"columns": ["name", "size"]})})
    def names(sizes: pl.DataFrame) -> None:
        seen.append(sizes)

    materialize(settings, [sizes, names])
    assert seen[0].columns == ["name", "size"]


def test_an_asset_below_a_prefix_has_a_directory_below_that_prefix(settings: Settings) -> None:
    @dg.asset(key_prefix="finance")
    def costs() -> pa.Table:
        return ROWS

    result = materialize(settings, [costs])
    path = settings.data_dir / "derived/finance/costs/costs.parquet"
    assert path.is_file()
    assert metadata(result, "finance__costs")["dagster/uri"] == path.parent.as_uri()


def test_a_month_whose_types_differ_from_the_others_is_refused_and_nothing_changes(settings: Settings) -> None:
    @dg.asset(partitions_def=MONTHS)
    def sizes(context: dg.AssetExecutionContext) -> pl.DataFrame:
        return pl.DataFrame({"size": ["many" if context.partition_key == "2025-05" else 1]})

    materialize(settings, [sizes], months="2025-04")
    refused = failure(materialize(settings, [sizes], months="2025-05", raise_on_error=False))
    assert refused.startswith("derived table sizes: found ")
    assert "expected the types of the other months" in refused
    assert len(list(settings.data_dir.glob("derived/**/*.parquet"))) == 1
    assert list((settings.data_dir / "_state/staging").iterdir()) == []


def test_an_untyped_column_takes_the_type_of_the_other_months(settings: Settings) -> None:
    @dg.asset(partitions_def=MONTHS)
    def sizes(context: dg.AssetExecutionContext) -> pl.DataFrame:
        return pl.DataFrame({"size": [None if context.partition_key == "2025-05" else "one"]})

    for month in ("2025-04", "2025-05"):
        materialize(settings, [sizes], months=month)
    path = settings.data_dir / "derived/sizes/year=2025/month=05/sizes_2025_05.parquet"
    assert pq.ParquetFile(path).schema_arrow.field("size").type == pa.string()


@pytest.mark.parametrize(
    ("months", "rows", "found"),
    [
        ("2025-05", ROWS, "created_at in 202504"),
        (("2025-05", "2025-06"), ROWS, "created_at in 202504"),
        (("2025-05", "2025-06"), ROWS.drop_columns(["created_at"]), "no column created_at"),
        (("2025-05", "2025-06"), ROWS.set_column(0, "created_at", [["a", "b", "c"]]), "created_at of type string"),
        (("2025-05", "2025-06"), ROWS.set_column(0, "created_at", pa.nulls(3)), "created_at in None"),
    ],
)
def test_rows_whose_month_is_not_of_the_run_are_refused(
    settings: Settings, months: tuple[str, str] | str, rows: pa.Table, found: str
) -> None:
    @dg.asset(partitions_def=MONTHS)
    def sizes() -> pa.Table:
        return rows

    assert found in failure(materialize(settings, [sizes], months=months, raise_on_error=False))


def test_another_column_can_decide_the_month(settings: Settings) -> None:
    @dg.asset(partitions_def=MONTHS, metadata={"partition_expr": "day"})
    def sizes() -> pl.DataFrame:
        return pl.DataFrame({"day": [datetime(2025, 4, 9), datetime(2025, 5, 9)]}).cast(pl.Date)  # noqa: DTZ001

    materialize(settings, [sizes], months=("2025-04", "2025-05"))
    assert len(list(settings.data_dir.glob("derived/sizes/year=2025/month=0[45]/*.parquet"))) == 2


def test_a_table_that_was_never_materialized_is_named(settings: Settings) -> None:
    @dg.asset(partitions_def=MONTHS)
    def sizes() -> pa.Table:
        return ROWS

    @dg.asset(partitions_def=MONTHS)
    def reader(sizes: pa.Table) -> None: ...

    result = materialize(settings, [sizes, reader], months="2025-05", selection=["reader"], raise_on_error=False)
    assert failure(result) == (
        "derived table sizes: found no file from 202505 to 202505, expected a table that was materialized before it is"
        " read. Materialize sizes first."
    )


@pytest.mark.parametrize(
    "partitions", [dg.DailyPartitionsDefinition("2025-05-01"), dg.StaticPartitionsDefinition(["a"])]
)
def test_partitions_other_than_months_are_refused(settings: Settings, partitions: dg.PartitionsDefinition[str]) -> None:
    @dg.asset(partitions_def=partitions)
    def sizes() -> pa.Table:
        return ROWS

    key = partitions.get_first_partition_key()
    assert "Partition it by month." in failure(materialize(settings, [sizes], months=key, raise_on_error=False))


def test_what_is_no_frame_is_refused(settings: Settings) -> None:
    @dg.asset
    def sizes() -> list[int]:
        return [1]

    assert "found a frame returned builtins.list" in failure(materialize(settings, [sizes], raise_on_error=False))


@pytest.mark.parametrize("name", [".", ".."])
def test_an_asset_key_never_leaves_the_directory(settings: Settings, tmp_path: Path, name: str) -> None:
    @dg.asset(key=dg.AssetKey([name, "sizes"]))
    def sizes() -> pa.Table:
        return ROWS

    assert "expected letters, digits, _ and -" in failure(materialize(settings, [sizes], raise_on_error=False))
    assert list(tmp_path.rglob("sizes*")) == []
