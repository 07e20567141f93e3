"""`ingest`: files or a pipe into a table; `refold`: the table again from all that landed.

Belongs here: arguments in, one JSON line out, progress on stderr. Does not belong here: landing or folding.
"""

import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audience_pipeline.cli.arguments import source_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from audience_pipeline.ingest.files import LandedFile, Landing
    from audience_pipeline.ingest.run import IngestReport
    from audience_pipeline.tables import Table

_SECONDS_BETWEEN_REPORTS = 2.0
_REFUSED = 3
TableArgument = Annotated[str, typer.Argument(help="users, audiences, platforms or distributions.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(ingest)
    app.command()(refold)


def ingest(
    table: TableArgument,
    files: Annotated[
        list[Path], typer.Argument(help="Files of one JSON record a line (.ndjson, .ndjson.gz); - is stdin.")
    ],
) -> None:
    """Land records and fold them into a table. Prints what became of them; what is refused goes to quarantine.

    A file that was ingested before changes nothing and has the counts it had then, its accepted records as unchanged.
    What landed in the table earlier and was never folded is folded first, and told on stderr.
    """
    source = source_table(table)
    with _landing() as landing:
        reports = _ingest(landing, source, files)
    print_report(landing, source.name, reports)
    errors = [error for report in reports for error in report.errors]
    for error in errors:
        typer.echo(f"Error: {error}", err=True)
    if errors:
        raise typer.Exit(max(error.exit_code if len(files) == 1 else 1 for error in errors))
    if any(report.rejected for report in reports):
        raise typer.Exit(_REFUSED)


def refold(table: TableArgument) -> None:
    """Fold a table again from all records that ever landed in it.

    It brings back rows whose files were deleted, and changes nothing else. Prints the same as ingest, with the landed
    records as read. What only the engine wrote (delivery results) comes back from a backup alone.
    """
    from audience_pipeline.ingest.run import refold as fold_again

    source = source_table(table)
    with _landing() as landing:
        report = fold_again(landing, source)
    print_report(landing, source.name, [report])
    if report.rejected:
        raise typer.Exit(_REFUSED)


@contextmanager
def _landing() -> "Iterator[Landing]":
    """Yield the landing into the configured store, which is open meanwhile."""
    from datetime import UTC, datetime

    from audience_pipeline.ingest.files import Landing
    from audience_pipeline.queries.catalog import ensure_catalog
    from audience_pipeline.settings import load_settings
    from audience_pipeline.storage import open_store

    settings = load_settings()
    with open_store(settings) as store:
        if settings.backend == "parquet":
            ensure_catalog(settings.data_dir.absolute())
        yield Landing(store, settings, lambda: datetime.now(UTC), _progress())


def _ingest(landing: "Landing", table: "Table", files: list[Path]) -> "list[IngestReport]":
    """Ingest runs of files, and a pipe in between, in the order given."""
    from audience_pipeline.ingest.run import STDIN, ingest_files, ingest_stream

    reports = []
    for path in files:
        if str(path) == STDIN:
            reports.append(ingest_stream(landing, table, sys.stdin.buffer))
        else:
            reports.append(ingest_files(landing, table, [path]))
    return reports


def print_report(landing: "Landing", table: str, reports: "list[IngestReport]") -> None:
    """Print what became of the records of one table, as one line of JSON."""
    import msgspec

    names = ("read", "inserted", "updated", "unchanged", "stale", "rejected")
    counts = {name: sum(getattr(report, name) for report in reports) for name in names}
    quarantine = str(landing.quarantine.path) if counts["rejected"] else None
    typer.echo(msgspec.json.encode({"table": table, **counts, "quarantine": quarantine}).decode())


def _progress() -> "Callable[[LandedFile], None]":
    """Return what reports on a file that takes long, every few seconds."""
    last = time.monotonic()

    def report(landed: "LandedFile") -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS_BETWEEN_REPORTS:
            last = time.monotonic()
            refused = f", {landed.rejected:,} refused" if landed.rejected else ""
            typer.echo(f"{landed.name}: {landed.read:,} records read{refused}", err=True)

    return report
