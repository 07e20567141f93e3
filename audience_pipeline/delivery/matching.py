"""Match rates: how much of what was sent the platforms recognised, by platform, audience and day.

Belongs here: adding up what completed distributions report. Does not belong here: where the sums are kept.

Numbers of different bases are never added up: what a sandbox simulates is no news of a platform. What a platform does
not say stays null; only distributions that say both counts are measured.
"""

import polars as pl

from audience_pipeline.storage.contract import Predicate, Query, TableStore
from audience_pipeline.tables import DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, PLATFORMS
from audience_pipeline.tables.match_rates import MATCH_RATES

_READ = ("distribution_id", "user_id", "platform_id", "audience_id", "created_at", "executed_at", "match_results")
_GROUP = ("month", "user_id", "platform_id", "audience_id", "day", "basis")


def match_rates(store: TableStore, months: tuple[int, int]) -> pl.DataFrame:
    """Return the match rates of what was asked for in months ``yyyymm``, both inclusive, archived or not."""
    query = Query(columns=_READ, months=months, where=[Predicate("status", "=", "completed")])
    read = [pl.DataFrame(pl.from_arrow(store.read(table, query))) for table in (DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE)]
    sent = pl.concat(read).unique("distribution_id", keep="first", maintain_order=True)
    kinds = store.read(PLATFORMS, Query(columns=["platform_id", "platform_type"]))
    return summed(sent).join(pl.DataFrame(pl.from_arrow(kinds)), on="platform_id", how="left").select(*MATCH_RATES)


def summed(sent: pl.DataFrame) -> pl.DataFrame:
    """Return the sums of completed distributions, but for the type of their platforms."""
    total, matched = (_member(name, pl.Int64) for name in ("total_records", "matched_records"))
    measured = total.is_not_null() & matched.is_not_null()
    moment = pl.coalesce("executed_at", "created_at")
    told = sent.with_columns(
        pl.col("created_at").dt.truncate("1mo").alias("month"),
        moment.dt.truncate("1d").alias("day"),
        _member("basis", pl.String).alias("basis"),
        measured.alias("_measured"),
        pl.when(measured).then(total).alias("_total"),
        pl.when(measured).then(matched).alias("_matched"),
        _member("match_rate_lower", pl.Float64).alias("_lower"),
        _member("match_rate_upper", pl.Float64).alias("_upper"),
    )
    known = pl.col("_measured").any()
    sums = told.group_by(_GROUP).agg(
        pl.len().cast(pl.Int64).alias("distributions"),
        pl.col("_measured").sum().cast(pl.Int64).alias("measured"),
        pl.when(known).then(pl.col("_total").sum()).alias("total_records"),
        pl.when(known).then(pl.col("_matched").sum()).alias("matched_records"),
        pl.col("_lower").min().alias("match_rate_lower"),
        pl.col("_upper").max().alias("match_rate_upper"),
    )
    rate = pl.when(pl.col("total_records") > 0).then(pl.col("matched_records") / pl.col("total_records"))
    return sums.with_columns(rate.alias("match_rate")).sort(_GROUP)


def _member(name: str, kind: type[pl.DataType]) -> pl.Expr:
    return pl.col("match_results").str.json_path_match(f"$.{name}").cast(kind)
