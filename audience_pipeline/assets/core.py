"""The documented tables as assets: each month, or table, is the fold of its landed records.

Belongs here: the step from landed records to the rows a table should have. Does not belong here: folding, or storing.
The IO manager upserts what is returned, so materializing twice changes nothing; a backfill reads stored records only.
"""

from typing import Any

import dagster as dg

from audience_pipeline.ingest.fold import fold
from audience_pipeline.policies import accepted_betas, classed_failures
from audience_pipeline.tables import LANDED, Table

MONTHS_PER_RUN = 12
"""Months that one run of a backfill holds in memory together; more would save only the start of a process."""


def requested_when_landed() -> dg.AutomationCondition[Any]:
    """Return the condition under which a month is folded: its landed month changed, or was there before the first tick.

    Only a request settles it, and only for what had landed by then. Were it settled by a materialization, as in
    Dagster's own `eager`, records that land while a fold of their month is under way would wait for the next file. A
    request too many folds the same rows again. A month whose fold failed is not asked for at every tick: it waits for
    an operator, or for the next file.
    """
    condition = dg.AutomationCondition
    landed = condition.any_deps_updated()
    waiting = (condition.missing() & ~condition.any_deps_missing()).newly_true()
    unsettled = (landed | waiting).since(condition.newly_requested() & ~landed)
    return (unsettled & ~condition.in_progress()).with_label("landed records to fold")


def core_asset(table: Table, months: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Return the asset of ``table``, by month where the table is."""
    with accepted_betas():

        @dg.asset(
            name=table.name,
            partitions_def=months if table.by_month else None,
            ins={"records": dg.AssetIn(LANDED[table.name].name)},
            automation_condition=requested_when_landed(),
            backfill_policy=dg.BackfillPolicy.multi_run(MONTHS_PER_RUN) if table.by_month else None,
        )
        def folded(records: Any) -> Any:  # noqa: ANN401 - Arrow, which Dagster would import for its name
            with classed_failures():
                return fold(table, records)

    return folded
