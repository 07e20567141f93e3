"""Which rows are filed where they do not belong: read with the path of their file, and held against that."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from audience_pipeline.storage.months import MONTH, with_month
from audience_pipeline.storage.parquet.layout import Partition, relative_path
from audience_pipeline.storage.parquet.steady import steady
from audience_pipeline.tables import Table

_PATH = "_path"


def misplaced(table: Table, root: Path, paths: Sequence[str]) -> pl.DataFrame:
    """Return key, file and documented file (relative to ``root``) of the rows in ``paths`` that are filed wrongly."""
    if not paths:
        return pl.DataFrame(schema=dict.fromkeys((table.key, "file", "belongs in"), pl.String))
    columns = dict.fromkeys((table.key, "user_id", *(["created_at"] if table.by_month else [])))
    rows = pl.scan_parquet(list(paths), glob=False, hive_partitioning=False, include_file_paths=_PATH)
    frame = with_month(table, steady(paths, lambda: rows.select(*columns, _PATH).collect()))
    homes = frame.select("user_id", MONTH).unique()
    belongs = [relative_path(table, Partition(user, month)) for user, month in homes.iter_rows()]
    frame = frame.join(homes.with_columns(pl.Series("belongs in", belongs, pl.String)), on=["user_id", MONTH])
    file = pl.col(_PATH).str.strip_prefix(f"{root}/").alias("file")
    return frame.select(table.key, file, "belongs in").filter(pl.col("file") != pl.col("belongs in"))
