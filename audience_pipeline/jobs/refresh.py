"""The job `refresh`: asks for the refreshes that are due, and reports the months they landed in.

Belongs here: the job and its report. Does not belong here: which refreshes are due (`audience_pipeline.delivery`); the
command line's `refresh` does the same.
"""

from collections import Counter

import dagster as dg

from audience_pipeline.assets.landed import landed_event
from audience_pipeline.ingest.moments import month_of
from audience_pipeline.partitions import month_key
from audience_pipeline.policies import classed_failures
from audience_pipeline.tables import DISTRIBUTIONS

_SHOWN = 100


@dg.op(
    out=dg.Out(dg.Nothing),
    required_resource_keys={"settings", "store", "clock"},
    description="Asks for a refresh of what is on platforms, where one is due.",
)
def ask_for_refreshes(context: dg.OpExecutionContext) -> None:
    """Ask for what is due; fail at the end where some could not be asked for."""
    from audience_pipeline.delivery.refresh import refresh as refreshed  # noqa: PLC0415 - only runs need what it imports

    resources = context.resources
    with classed_failures():
        due, report = refreshed(resources.store, resources.settings, resources.clock)
    asked = [each for each in due if each.why_not is None]
    names = ("distribution_id", "audience_id", "platform_id", "period", "why_not")
    rows = [dg.TableRecord({name: str(getattr(each, name) or "") for name in names}) for each in due[:_SHOWN]]
    shown = {"refreshes": dg.MetadataValue.table(rows)} if rows else {}
    context.add_output_metadata({"asked for": report.inserted, "skipped": len(due) - len(asked), **shown})
    for month, count in sorted(Counter(month_of(each.created_at) for each in asked).items()):
        context.log_event(landed_event(DISTRIBUTIONS, month, {"records": count, "file": "refresh"}))
        metadata = {"refreshes": count}
        context.log_event(dg.AssetMaterialization(DISTRIBUTIONS.name, partition=month_key(month), metadata=metadata))
    if report.rejected:
        message = f"{report.rejected} refreshes were refused; the quarantine of distributions says why."
        raise dg.Failure(message, allow_retries=False)


@dg.job(description="Asks for a refresh of what is on platforms, where one is due.")
def refresh() -> None:
    """Ask for refreshes."""
    ask_for_refreshes()
