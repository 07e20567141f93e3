"""pandera schemas derived from the declarations: what every stored row of a table satisfies, checked in bulk.

Belongs here: the translation of a declaration. Does not belong here: rules over several rows or tables (the asset
checks hold those), or the verdict on a record that lands, which must give every reason with a remedy.

Importing this module costs about as much as importing Dagster, so only the bodies of checks do it.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import pandera.polars as pa
import polars as pl
from pandera.polars import PolarsData

from audience_pipeline.tables.declaration import Column, Table
from audience_pipeline.tables.polars import PATTERNS, TYPES
from audience_pipeline.tables.types import LogicalType


@cache
def pandera_schema(table: Table) -> pa.DataFrameSchema:
    """Return the schema of ``table``'s rows: exactly its columns, in order, with their types, formats and values."""
    columns = {column.name: _column(column) for column in table.columns}
    return pa.DataFrameSchema(columns, name=table.name, strict=True, ordered=True)


def _column(column: Column) -> pa.Column:
    return pa.Column(TYPES[column.type], checks=_checks(column), nullable=not column.required)


def _checks(column: Column) -> list[pa.Check]:
    checks = []
    if column.values:
        checks.append(pa.Check.isin(column.values, error=f"one of {', '.join(column.values)}"))
    if column.format is not None:
        checks.append(pa.Check.str_matches(PATTERNS[column.format], error=column.format.value))
    if column.minimum is not None:
        checks.append(pa.Check.ge(column.minimum, error=f"at least {column.minimum}"))
    if column.type is LogicalType.JSON:
        checks.append(pa.Check(_decodes(column.json_type), error="JSON of the declared shape"))
    return checks


def _decodes(kind: Any) -> Callable[[PolarsData], pl.LazyFrame]:  # noqa: ANN401 - a type as msgspec takes it
    """Return a check that every text of a column is JSON of the shape ``kind``; null is no text."""
    decoder = msgspec.json.Decoder(kind)

    def decodes(text: str | None) -> bool:
        if text is None:
            return True
        try:
            decoder.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return False
        return True

    def check(data: PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col(data.key).map_batches(_each(decodes), return_dtype=pl.Boolean))

    return check


def _each(predicate: Callable[[str | None], bool]) -> Callable[[pl.Series], pl.Series]:
    return lambda texts: pl.Series(texts.name, [predicate(text) for text in texts], pl.Boolean)
