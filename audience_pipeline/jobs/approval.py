"""The jobs `approve` and `reject`: a decision made in the UI, with the record the command line leaves.

Belongs here: the two jobs and their configuration. Does not belong here: deciding
(`audience_pipeline.delivery.approval`).
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from audience_pipeline.policies import classed_failures

if TYPE_CHECKING:
    from audience_pipeline.delivery.approval import Decided, Decision

_OUT = dg.Out(dg.Nothing)
_RESOURCES = {"settings", "store", "clock"}


class _Decision(dg.Config):
    """Which distributions are decided on, and by whom."""

    distribution_ids: list[str] = Field(description="The distributions decided on; each must be scheduled.")
    by: str = Field(description="Who decides; one with a users row needs the permission `approve`.")


class Approval(_Decision):
    """An approval."""

    reason: str | None = Field(default=None, description="Why; kept with the decision.")
    standing: bool = Field(default=False, description="Cover later refreshes of the same audience and platform, too.")


class Rejection(_Decision):
    """A rejection."""

    reason: str = Field(description="Why; kept with the decision.")


@dg.op(
    out=_OUT,
    required_resource_keys=_RESOURCES,
    description="Lets scheduled distributions be sent, with the content they have now.",
)
def approve_distributions(context: dg.OpExecutionContext, config: Approval) -> None:
    """Approve, and fail at the end where some could not be."""
    from audience_pipeline.delivery.approval import Decision  # noqa: PLC0415 - only runs need what it imports

    _decide(context, config, Decision("approved", config.by, config.reason, config.standing))


@dg.op(out=_OUT, required_resource_keys=_RESOURCES, description="Ends scheduled distributions as failed, unsent.")
def reject_distributions(context: dg.OpExecutionContext, config: Rejection) -> None:
    """Reject, and fail at the end where some could not be."""
    from audience_pipeline.delivery.approval import Decision  # noqa: PLC0415 - the same

    _decide(context, config, Decision("rejected", config.by, config.reason))


@dg.job(description="Lets scheduled distributions be sent, with the content they have now.")
def approve() -> None:
    """Approve distributions."""
    approve_distributions()


@dg.job(description="Ends scheduled distributions as failed, unsent.")
def reject() -> None:
    """Reject distributions."""
    reject_distributions()


def _decide(context: dg.OpExecutionContext, config: _Decision, decision: "Decision") -> None:
    from audience_pipeline.delivery.approval import decide  # noqa: PLC0415 - the same

    with classed_failures():
        days = context.resources.settings.approval_days
        decided = decide(
            context.resources.store, config.distribution_ids, decision, now=context.resources.clock(), days=days
        )
    shown = dg.MetadataValue.table([dg.TableRecord(asdict(each)) for each in decided])
    context.add_output_metadata({"decided": shown, "refused": sum(each.outcome == "refused" for each in decided)})
    _fail_for([each for each in decided if each.outcome == "refused"])


def _fail_for(refused: "Sequence[Decided]") -> None:
    if refused:
        told = "; ".join(f"{each.distribution_id}: {each.note}" for each in refused)
        message = f"{len(refused)} distributions could not be decided on; the others were. {told}"
        raise dg.Failure(message, allow_retries=False)
