"""`deliver`, `retry` and `withdraw`: what is due goes to its platforms; an operator's word on what went there.

Belongs here: arguments in, what became of each distribution out. Does not belong here: delivering
(`audience_pipeline.delivery`).
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audience_pipeline.cli import arguments
from audience_pipeline.cli.arguments import moment
from audience_pipeline.cli.output import FormatOption, OutputFormat, print_rows

if TYPE_CHECKING:
    from audience_pipeline.delivery.engine import Report
    from audience_pipeline.delivery.planning import Planned
    from audience_pipeline.settings import Settings
    from audience_pipeline.storage.contract import TableStore

_REFUSED = 3
_EVERYTHING = 1_000_000
IdsArgument = Annotated[list[str], typer.Argument(metavar="DISTRIBUTION_ID", help="The distributions concerned.")]
ByOption = Annotated[str, typer.Option(help="Who asks for it; kept in the journal.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(deliver)
    app.command()(retry)
    app.command()(withdraw)


def deliver(
    as_of: Annotated[
        datetime | None,
        typer.Option(parser=moment, metavar="T", help="What is due by then; a time to come needs --dry-run."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent, at what cost, and what is held and why.")
    ] = False,
    output: FormatOption = OutputFormat.TABLE,
) -> None:
    """Send what is due, and ask platforms what became of what was sent. Exit 3 if some fail."""
    from audience_pipeline.settings import load_settings
    from audience_pipeline.storage import open_store

    until, settings = arguments.as_of(as_of, dry_run=dry_run), load_settings()
    with open_store(settings) as store:
        rows: Sequence[Any] = _plan(settings, store, until) if dry_run else _deliver(settings, store, until)
    print_rows(_table([_told(row) for row in rows]), output)
    if any(row.outcome == "failed" for row in rows):
        raise typer.Exit(_REFUSED)


def retry(
    distribution_ids: IdsArgument,
    by: ByOption,
    resend: Annotated[
        bool, typer.Option("--resend", help="Send again what the platform may have: it may then be there twice.")
    ] = False,
    output: FormatOption = OutputFormat.TABLE,
) -> None:
    """Schedule failed distributions again. Exit 3 if some are refused."""
    from datetime import UTC

    from audience_pipeline.delivery import retrying
    from audience_pipeline.delivery.lifecycle import By
    from audience_pipeline.settings import load_settings
    from audience_pipeline.storage import open_store

    with open_store(load_settings()) as store:
        reports = retrying.retry(store, distribution_ids, By(datetime.now(UTC), by), resend=resend)
    _print(reports, output)


def withdraw(
    distribution_ids: IdsArgument,
    by: ByOption,
    reason: Annotated[str, typer.Option(help="Why; kept in the journal.")],
    output: FormatOption = OutputFormat.TABLE,
) -> None:
    """Have platforms take what completed out of use. Exit 3 if some are refused."""
    from datetime import UTC

    from audience_pipeline.delivery import retrying
    from audience_pipeline.delivery.opening import open_engine
    from audience_pipeline.settings import load_settings
    from audience_pipeline.storage import open_store

    settings = load_settings()
    with open_store(settings) as store, open_engine(settings, store, lambda: datetime.now(UTC), by) as engine:
        reports = retrying.withdraw(engine, distribution_ids, reason)
    _print(reports, output)


def _plan(settings: "Settings", store: "TableStore", until: datetime) -> "list[Planned]":
    from audience_pipeline.delivery.connectors.registry import Connectors
    from audience_pipeline.delivery.planning import plan

    with Connectors(settings) as connectors:
        return plan(store, settings, connectors, until)


def _deliver(settings: "Settings", store: "TableStore", until: datetime) -> "list[Report]":
    import logging
    from datetime import UTC

    from audience_pipeline.delivery.delivering import deliver
    from audience_pipeline.delivery.opening import open_engine

    log = logging.getLogger(__name__)
    reports: list[Report] = []
    due = store.due(until, limit=_EVERYTHING, held=True)
    with open_engine(settings, store, lambda: datetime.now(UTC), "command line") as engine:
        for batch in deliver(engine, due):
            reports += batch
            log.info("Looked at %d of %d distributions.", len(reports), len(due))
    return reports


def _told(row: "Report | Planned") -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if name not in {"month", "changed"}}


def _table(rows: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - Arrow
    import pyarrow as pa

    return pa.Table.from_pylist(rows) if rows else pa.table({"distribution_id": pa.array([], pa.string())})


def _print(reports: "Sequence[Report]", output: OutputFormat) -> None:
    print_rows(_table([_told(report) for report in reports]), output)
    if any(report.outcome in {"refused", "failed"} for report in reports):
        raise typer.Exit(_REFUSED)
