"""The pandera schemas: every table has one, it takes what the store writes, and refuses other columns and types."""

from collections.abc import Callable

import pandera.errors
import polars as pl
import pytest

from audience_pipeline.tables import AUDIENCES, TABLES, Table
from audience_pipeline.tables.arrow import empty
from audience_pipeline.tables.pandera import pandera_schema


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_an_empty_table_of_the_declared_types_is_valid(table: Table) -> None:
    pandera_schema(table).validate(pl.DataFrame(empty(table)))


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_exactly_the_required_columns_refuse_null(table: Table) -> None:
    refusing = {name for name, column in pandera_schema(table).columns.items() if not column.nullable}
    assert refusing == {column.name for column in table.columns if column.required}


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.drop("name"),
        lambda frame: frame.with_columns(extra=pl.lit(1)),
        lambda frame: frame.select(reversed(frame.columns)),
        lambda frame: frame.cast({"created_at": pl.Datetime("us")}),
        lambda frame: frame.cast({"total_audience_size": pl.Int32}),
    ],
    ids=["a column less", "a column more", "another order", "microseconds", "32 bits"],
)
def test_other_columns_and_types_are_refused(change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    with pytest.raises((pandera.errors.SchemaError, pandera.errors.SchemaErrors)):
        pandera_schema(AUDIENCES).validate(change(pl.DataFrame(empty(AUDIENCES))))
