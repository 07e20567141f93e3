"""`ingest`: files or a pipe into a table.

Belongs here: arguments in, one JSON line out, progress on stderr. Does not belong here: landing or folding.
"""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audience_pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from audience_pipeline.ingest.files import LandedFile, Landing
    from audience_pipeline.ingest.run import IngestReport
    from audience_pipeline.tables import Table

_SECONDS_BETWEEN_REPORTS = 2.0
_REFUSED = 3


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(ingest)


def ingest(
    table: Annotated[str, typer.Argument(help="users, audiences, platforms or distributions.")],
    files: Annotated[
        list[Path], typer.Argument(help="Files of one JSON record a line (.ndjson, .ndjson.gz); - is stdin.")
    ],
) -> None:
    """Land records and fold them into a table. Prints what became of them; what is refused goes to quarantine."""
    from datetime import UTC, datetime

    from audience_pipeline.ingest.files import Landing
    from audience_pipeline.queries.catalog import ensure_catalog
    from audience_pipeline.settings import load_settings
    from audience_pipeline.storage import open_store

    source = _source(table)
    settings = load_settings()
    with open_store(settings) as store:
        ensure_catalog(store.root)
        landing = Landing(store, settings, lambda: datetime.now(UTC), _progress())
        reports = _ingest(landing, source, files)
    _print(landing, source, reports)
    errors = [error for report in reports for error in report.errors]
    for error in errors:
        typer.echo(f"Error: {error}", err=True)
    if errors:
        raise typer.Exit(max(error.exit_code if len(files) == 1 else 1 for error in errors))
    if any(report.rejected for report in reports):
        raise typer.Exit(_REFUSED)


def _source(name: str) -> "Table":
    from audience_pipeline.tables import SOURCES

    for table in SOURCES:
        if table.name == name:
            return table
    subject = "TABLE"
    raise UsageError(
        subject,
        found=repr(name),
        expected=", ".join(table.name for table in SOURCES),
        remedy="Name the table the records are for.",
    )


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


def _print(landing: "Landing", table: "Table", reports: "list[IngestReport]") -> None:
    import msgspec

    names = ("read", "inserted", "updated", "unchanged", "stale", "rejected")
    counts = {name: sum(getattr(report, name) for report in reports) for name in names}
    quarantine = str(landing.quarantine.path) if counts["rejected"] else None
    typer.echo(msgspec.json.encode({"table": table.name, **counts, "quarantine": quarantine}).decode())


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
