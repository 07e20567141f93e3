"""`refresh`: ask for the refreshes that are due.

Belongs here: arguments in, the refreshes out. Does not belong here: which are due (`audience_pipeline.delivery`).
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from audience_pipeline.cli import arguments
from audience_pipeline.cli.arguments import moment
from audience_pipeline.cli.output import FormatOption, OutputFormat, print_rows

if TYPE_CHECKING:
    from audience_pipeline.delivery.refresh import Refresh

_REFUSED = 3


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(refresh)


def refresh(
    as_of: Annotated[
        datetime | None,
        typer.Option(parser=moment, metavar="T", help="What is due by then; a time to come needs --dry-run."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which would be asked for, and ask for none.")] = False,
    output: FormatOption = OutputFormat.TABLE,
) -> None:
    """Ask for a refresh of what is on platforms, where one is due. Exit 3 if some are refused."""
    from audience_pipeline.delivery import refresh as refreshes
    from audience_pipeline.settings import load_settings
    from audience_pipeline.storage import open_store

    until, settings = arguments.as_of(as_of, dry_run=dry_run), load_settings()
    clock = (lambda: until) if as_of else (lambda: datetime.now(UTC))
    with open_store(settings) as store:
        if dry_run:
            due, rejected = list(refreshes.due_refreshes(store, until)), 0
        else:
            due, report = refreshes.refresh(store, settings, clock)
            rejected = report.rejected
    _print(due, output)
    if rejected:
        typer.echo(f"{rejected} were refused: `audience-pipeline quarantine list distributions` says why.", err=True)
        raise typer.Exit(_REFUSED)


def _print(due: "list[Refresh]", output: OutputFormat) -> None:
    import pyarrow as pa

    names = ("distribution_id", "user_id", "audience_id", "platform_id", "period", "last")
    rows = [
        {
            **{name: getattr(each, name) for name in names},
            "outcome": "skipped" if each.why_not else "due",
            "why": each.why_not,
        }
        for each in due
    ]
    empty = pa.table({"distribution_id": pa.array([], pa.string())})
    print_rows(pa.Table.from_pylist(rows) if rows else empty, output)
