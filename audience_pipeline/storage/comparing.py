"""Which rows of two tables are the same.

Belongs here: comparing frames. Does not belong here: what follows from it.
"""

import polars as pl

from audience_pipeline.tables import Table

_OTHER = "_other"


def alike(table: Table, rows: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Return those of ``rows`` that ``other`` has with the same values in all columns of ``table``."""
    names = [name for name in table.column_names if name != table.key]
    joined = rows.join(other.select(table.column_names), on=table.key, suffix=_OTHER)
    equal = [pl.col(name).eq_missing(pl.col(f"{name}{_OTHER}")) for name in names]
    return joined.filter(pl.all_horizontal(equal)).select(rows.columns)
