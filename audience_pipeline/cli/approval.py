"""`approve` and `reject`: somebody's decision whether distributions may be sent.

Belongs here: arguments in, what became of each distribution out. Does not belong here: who may decide, or what a
decision is bound to (`audience_pipeline.delivery.approval`).
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from audience_pipeline.cli.output import FormatOption, OutputFormat, print_rows

if TYPE_CHECKING:
    from audience_pipeline.delivery.approval import Decision

_REFUSED = 3
IdsArgument = Annotated[list[str], typer.Argument(metavar="DISTRIBUTION_ID", help="The distributions decided on.")]
ByOption = Annotated[str, typer.Option(help="Who decides; one with a users row needs the permission `approve`.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(approve)
    app.command()(reject)


def approve(
    distribution_ids: IdsArgument,
    by: ByOption,
    reason: Annotated[str | None, typer.Option(help="Why; kept with the decision.")] = None,
    standing: Annotated[
        bool, typer.Option("--standing", help="Cover later refreshes of the same audience and platform, too.")
    ] = False,
    output: FormatOption = OutputFormat.TABLE,
) -> None:
    """Let scheduled distributions be sent, with the content they have now. Exit 3 if some are refused."""
    from audience_pipeline.delivery.approval import Decision

    _decide(distribution_ids, Decision("approved", by, reason, standing), output)


def reject(
    distribution_ids: IdsArgument,
    by: ByOption,
    reason: Annotated[str, typer.Option(help="Why; kept with the decision.")],
    output: FormatOption = OutputFormat.TABLE,
) -> None:
    """End scheduled distributions as failed, unsent. Exit 3 if some are refused."""
    from audience_pipeline.delivery.approval import Decision

    _decide(distribution_ids, Decision("rejected", by, reason), output)


def _decide(distribution_ids: list[str], decision: "Decision", output: OutputFormat) -> None:
    from datetime import UTC, datetime

    import pyarrow as pa

    from audience_pipeline.delivery.approval import decide
    from audience_pipeline.settings import load_settings
    from audience_pipeline.storage import open_store

    settings = load_settings()
    with open_store(settings) as store:
        decided = decide(store, distribution_ids, decision, now=datetime.now(UTC), days=settings.approval_days)
    print_rows(pa.Table.from_pylist([asdict(each) for each in decided]), output)
    if any(each.outcome == "refused" for each in decided):
        raise typer.Exit(_REFUSED)
