"""The jobs that deliver: `deliver` sends what is due, `follow` asks after it; `withdraw` and `retry` are for people.

Belongs here: the jobs, their configuration and their report. Does not belong here: delivering
(`audience_pipeline.delivery`); the command line's `deliver` does the same.

Runs need no lock between them: a distribution is claimed by a compare-and-set on its row, so of two runs that hold the
same ids each distribution is sent by one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from audience_pipeline.partitions import month_key
from audience_pipeline.policies import classed_failures
from audience_pipeline.tables import DISTRIBUTIONS

if TYPE_CHECKING:
    from audience_pipeline.delivery.delivering import Work
    from audience_pipeline.delivery.engine import Engine, Report

MOST = 2_000
"""Distributions of one run: less than a minute's work where the platform sets no limit."""
_SHOWN = 100
_OUT = dg.Out(dg.Nothing)
_RESOURCES = {"settings", "store", "clock", "platforms"}
_IDS = "The distributions to look at; those that are due where none is named."


class Due(dg.Config):
    """Which distributions are looked at."""

    distribution_ids: list[str] | None = Field(default=None, description=_IDS)
    platform_ids: list[str] | None = Field(
        default=None, description="Where they go: no other run is requested for these platforms meanwhile."
    )


class Withdrawal(dg.Config):
    """What is taken back, why, and at whose wish."""

    distribution_ids: list[str] = Field(description="The distributions to take out of use; each must be completed.")
    by: str = Field(description="Who asks for it; kept in the journal.")
    reason: str = Field(description="Why; kept in the journal.")


class Retrial(dg.Config):
    """What is scheduled again, and at whose wish."""

    distribution_ids: list[str] = Field(description="The distributions to schedule again; each must have failed.")
    by: str = Field(description="Who asks for it; kept in the journal.")
    resend: bool = Field(
        default=False, description="Send again what the platform may have: it may then be there twice."
    )


@dg.op(out=_OUT, required_resource_keys=_RESOURCES, description="Sends scheduled distributions that are due.")
def deliver_distributions(context: dg.OpExecutionContext, config: Due) -> None:
    """Send what is due, and report what became of each."""
    from audience_pipeline.delivery.sending import send  # noqa: PLC0415 - only runs need what it imports

    _deliver(context, config, ["scheduled"], send)


@dg.op(out=_OUT, required_resource_keys=_RESOURCES, description="Asks platforms what became of what was sent.")
def follow_distributions(context: dg.OpExecutionContext, config: Due) -> None:
    """Follow up what was sent, and close what ended."""
    from audience_pipeline.delivery.following import follow as followed  # noqa: PLC0415 - the same

    _deliver(context, config, ["processing", "completed", "failed"], followed)


@dg.op(
    out=_OUT, required_resource_keys=_RESOURCES, description="Has platforms take completed distributions out of use."
)
def withdraw_distributions(context: dg.OpExecutionContext, config: Withdrawal) -> None:
    """Withdraw, and fail at the end where some could not be."""
    from audience_pipeline.delivery.retrying import withdraw as withdrawn  # noqa: PLC0415 - only runs need it

    with classed_failures():
        reports = withdrawn(_engine(context, config.by), config.distribution_ids, config.reason)
    _tell(context, reports)
    _fail_for([report for report in reports if report.outcome != "withdrawn"])


@dg.op(out=_OUT, required_resource_keys=_RESOURCES, description="Schedules failed distributions again.")
def retry_distributions(context: dg.OpExecutionContext, config: Retrial) -> None:
    """Retry, and fail at the end where some could not be."""
    from audience_pipeline.delivery import retrying  # noqa: PLC0415 - only runs need it
    from audience_pipeline.delivery.lifecycle import By  # noqa: PLC0415 - the same

    with classed_failures():
        by = By(context.resources.clock(), config.by)
        reports = retrying.retry(context.resources.store, config.distribution_ids, by, resend=config.resend)
    _tell(context, reports)
    _fail_for([report for report in reports if report.outcome != "scheduled"])


@dg.job(description="Sends the distributions that are due.")
def deliver() -> None:
    """Send what is due."""
    deliver_distributions()


@dg.job(description="Asks platforms what became of what was sent, and recovers what a dead worker left.")
def follow() -> None:
    """Follow up what was sent."""
    follow_distributions()


@dg.job(description="Has platforms take completed distributions out of use.")
def withdraw() -> None:
    """Withdraw distributions."""
    withdraw_distributions()


@dg.job(description="Schedules failed distributions again.")
def retry() -> None:
    """Retry distributions."""
    retry_distributions()


def _engine(context: dg.OpExecutionContext, actor: str) -> "Engine":
    from audience_pipeline.delivery.opening import engine_of  # noqa: PLC0415 - only runs need what it imports

    resources = context.resources
    return engine_of(resources.settings, resources.store, resources.platforms, resources.clock, actor)


def _deliver(context: dg.OpExecutionContext, config: Due, statuses: Sequence[str], step: "Work") -> None:
    from audience_pipeline.delivery.delivering import in_batches  # noqa: PLC0415 - only runs need it

    store, now, reports = context.resources.store, context.resources.clock(), []
    with classed_failures():
        keys = config.distribution_ids
        if keys is None:
            keys = [each.key for each in store.due(now, limit=MOST, statuses=statuses)]
        for batch in in_batches(step, _engine(context, f"run {context.run_id}"), keys):
            reports += batch
            context.log.info("Looked at %d of %d distributions.", len(reports), len(keys))
    _tell(context, reports)


def _tell(context: dg.OpExecutionContext, reports: "Iterable[Report]") -> None:
    """Report what became of each distribution, and the months that were touched."""
    reports = list(reports)
    outcomes = Counter(report.outcome for report in reports)
    rows = [dg.TableRecord({name: str(value) for name, value in asdict(report).items()}) for report in reports[:_SHOWN]]
    shown = {"distributions": dg.MetadataValue.table(rows)} if rows else {}
    context.add_output_metadata({**outcomes, **shown})
    for month, counts in sorted(_by_month(reports).items()):
        metadata = {f"{outcome} by delivery": count for outcome, count in counts.items()}
        context.log_event(dg.AssetMaterialization(DISTRIBUTIONS.name, partition=month_key(month), metadata=metadata))


def _by_month(reports: "Iterable[Report]") -> Mapping[int, Counter[str]]:
    counts: dict[int, Counter[str]] = {}
    for report in reports:
        if report.month and report.changed:
            counts.setdefault(report.month, Counter())[report.outcome] += 1
    return counts


def _fail_for(refused: "Sequence[Report]") -> None:
    if refused:
        told = "; ".join(f"{each.distribution_id}: {each.note}" for each in refused)
        message = f"{len(refused)} distributions were left as they are; the others were not. {told}"
        raise dg.Failure(message, allow_retries=False)
