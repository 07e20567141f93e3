"""`archive` and `restore`: what ended long ago leaves the live table, and comes back when asked for.

Belongs here: arguments in, what became of the rows out. Does not belong here: moving them
(`audience_pipeline.retention`).
"""

import re
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audience_pipeline.cli import arguments
from audience_pipeline.cli.arguments import moment
from audience_pipeline.cli.output import FormatOption, OutputFormat, print_rows
from audience_pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from audience_pipeline.retention.archiving import Moved
    from audience_pipeline.retention.restoring import Restore, Restored

_FAILED, _REFUSED = 1, 3
_MONTH = re.compile(r"(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(archive)
    app.command()(restore)


def archive(
    as_of: Annotated[
        datetime | None,
        typer.Option(parser=moment, metavar="T", help="What is old enough by then; a time to come needs --dry-run."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be moved, and move nothing.")] = False,
    output: FormatOption = OutputFormat.TABLE,
) -> None:
    """Move distributions that ended long ago to the archive. Exit 1 if a part of the archive is damaged.

    They are copied first; a later run removes them from the live table, once readers are done with older files.
    """
    import logging

    from audience_pipeline.retention.archiving import archive as archived
    from audience_pipeline.settings import load_settings
    from audience_pipeline.storage import open_store

    log = logging.getLogger(__name__)
    arguments.as_of(as_of, dry_run=dry_run)
    settings, found = load_settings(), []
    with open_store(settings, reading=dry_run) as store:
        for progress in archived(store, settings, _now, "command line", as_of=as_of, dry_run=dry_run):
            found.append(progress)
            log.info("Looked at %d of %d users' months.", progress.seen, progress.all)
    moved = [each for progress in found for each in progress.moved]
    print_rows(_table(_by_month(moved)), output)
    if note := _note(moved, settings.reader_grace_minutes, dry_run=dry_run):
        typer.echo(note, err=True)
    damaged = [damage for progress in found for damage in progress.damaged]
    for damage in damaged:
        typer.echo(str(damage), err=True)
    if damaged:
        raise typer.Exit(_FAILED)


def restore(
    until: Annotated[datetime, typer.Option(parser=moment, metavar="T", help="Until when they stay live.")],
    distribution_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[DISTRIBUTION_ID]…", help="The distributions to bring back.")
    ] = None,
    month: Annotated[
        str | None, typer.Option(metavar="YYYY-MM", help="Bring back all that were asked for in a month.")
    ] = None,
    user_id: Annotated[str | None, typer.Option(help="With --month: those of one user only.")] = None,
    by: Annotated[str, typer.Option(help="Who asks for it; kept in the manifest.")] = "command line",
    output: FormatOption = OutputFormat.TABLE,
) -> None:
    """Bring archived distributions back to the live table, until a moment. Exit 3 if some are refused."""
    from audience_pipeline.retention.restoring import Restore
    from audience_pipeline.settings import load_settings
    from audience_pipeline.storage import open_store

    if bool(distribution_ids) == (month is not None) or (user_id is not None and month is None):
        subject = "restore"
        raise UsageError(
            subject,
            found="both or neither" if user_id is None else "--user-id without --month",
            expected="ids of distributions, or --month with or without --user-id",
            remedy="Name distributions, or a month of which all come back.",
        )
    with open_store(load_settings()) as store:
        found = _restored(Restore(store, _now, by, until), distribution_ids or [], month, user_id)
    print_rows(_table([asdict(each) for each in found]), output)
    if any(each.outcome == "refused" for each in found):
        raise typer.Exit(_REFUSED)


def _restored(restore: "Restore", keys: list[str], month: str | None, user_id: str | None) -> "list[Restored]":
    return restore.keys(keys) if month is None else restore.month(_number(month), user_id)


def _number(month: str) -> int:
    parts = _MONTH.fullmatch(month)
    if parts is None:
        subject = "--month"
        raise UsageError(subject, found=repr(month), expected="a month such as 2025-05", remedy="Correct it.")
    return int(parts["year"]) * 100 + int(parts["month"])


def _note(moved: "Sequence[Moved]", minutes: int, *, dry_run: bool) -> str | None:
    """Say when the live rows go of what is copied, if not at once; and that a dry run did nothing."""
    copied, waiting = sum(each.copied for each in moved), sum(each.waiting for each in moved)
    later = f"a run {minutes} minutes after they were copied removes the live ones."
    if dry_run:
        then = f"; {later}" if minutes else ", and remove the live ones."
        return f"Nothing was moved. A run would copy {copied} rows{then}"
    return f"{copied + waiting} rows are in both tables: {later}" if minutes and copied + waiting else None


def _by_month(moved: "Iterable[Moved]") -> list[dict[str, Any]]:
    from audience_pipeline.retention.archiving import by_month
    from audience_pipeline.storage.months import month_text

    return [{**asdict(each), "month": month_text(each.month)} for each in by_month(moved)]


def _table(rows: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - Arrow
    import pyarrow as pa

    return pa.Table.from_pylist(rows) if rows else pa.table({"month": pa.array([], pa.string())})


def _now() -> datetime:
    return datetime.now(UTC)
