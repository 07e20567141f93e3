"""The asset `match_rates`: how much of what was sent the platforms recognised, month by month.

Belongs here: the asset, and the numbers of it that Dagster plots. Does not belong here: the sums
(`audience_pipeline.delivery.matching`). It is derived: a month is replaced as a whole, from live and archived rows.
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from audience_pipeline.assets.core import requested_when_landed
from audience_pipeline.partitions import month_number
from audience_pipeline.policies import OWNERS, accepted_betas, classed_failures, location
from audience_pipeline.settings import Settings
from audience_pipeline.tables import DISTRIBUTIONS
from audience_pipeline.tables.match_rates import MATCH_RATES

if TYPE_CHECKING:
    import polars as pl

NAME = "match_rates"
_DOC = """\
How much of what was sent the platforms recognised.

One row per platform, audience, day and basis; numbers of different bases are never added up, and what a platform does
not say is null.
"""


def match_rates_asset(settings: Settings, months: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Return the asset."""
    with accepted_betas():

        @dg.asset(
            name=NAME,
            partitions_def=months,
            deps=[DISTRIBUTIONS.name],
            group_name="analytics",
            owners=list(OWNERS),
            kinds={settings.backend, "table"},
            description=_DOC,
            metadata={**location(settings, [NAME]), "partition_expr": "month", "dagster/column_schema": _schema()},
            automation_condition=requested_when_landed(),
            backfill_policy=dg.BackfillPolicy.multi_run(12),
            required_resource_keys={"store"},
        )
        def match_rates(context: dg.AssetExecutionContext) -> Any:  # noqa: ANN401 - polars, which Dagster would import
            from audience_pipeline.delivery.matching import match_rates as rates  # noqa: PLC0415 - only runs need it

            months = context.partition_key_range
            with classed_failures():
                found = rates(context.resources.store, (month_number(months.start), month_number(months.end)))
            context.add_output_metadata(_plotted(found))
            return found

    return match_rates


def _schema() -> dg.TableSchema:
    return dg.TableSchema([dg.TableColumn(name, kind, doc) for name, (kind, doc) in MATCH_RATES.items()])


def _plotted(rates: "pl.DataFrame") -> dict[str, Any]:
    """Return the match rate of each type of platform and basis, as numbers."""
    import polars as pl  # noqa: PLC0415 - only runs need it

    measured = rates.filter(pl.col("total_records") > 0)
    sums = measured.group_by("platform_type", "basis").agg(pl.col("matched_records", "total_records").sum())
    return {
        f"match rate of {kind}, {basis}": matched / total
        for kind, basis, matched, total in sums.sort("platform_type", "basis").iter_rows()
    }
