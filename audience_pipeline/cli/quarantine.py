"""`quarantine list|show|retry`: refused records, seen and tried again.

Belongs here: arguments in, entries out. Does not belong here: what is refused, or how a record is tried again.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audience_pipeline.cli.arguments import source_table
from audience_pipeline.cli.output import FormatOption, OutputFormat, print_rows
from audience_pipeline.errors import UsageError

if TYPE_CHECKING:
    from audience_pipeline.ingest.quarantine import Entry, Quarantine

_REFUSED = 3
_SHORT_DIGEST = 12
commands = typer.Typer(name="quarantine", no_args_is_help=True, help="Refused records: what they are, and another try.")
TableOption = Annotated[str | None, typer.Option("--table", help="Only the records of this table.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(commands)


@commands.command("list")
def list_entries(table: TableOption = None, output: FormatOption = OutputFormat.TABLE) -> None:
    """List refused records, oldest first, with every reason."""
    import pyarrow as pa

    rows = [_row(entry) for entry in _quarantine().entries(_checked(table))]
    names = ("digest", "table", "file", "line", "reasons", "first_seen", "seen", "waiting_for", "retryable")
    kinds = {"line": pa.int64(), "seen": pa.int64(), "retryable": pa.bool_()}
    schema = pa.schema([pa.field(name, kinds.get(name, pa.string())) for name in names])
    print_rows(pa.Table.from_pylist(rows, schema=schema), output)


@commands.command()
def show(
    digest: Annotated[str, typer.Argument(help="The digest, or enough of its start.")], table: TableOption = None
) -> None:
    """Show one refused record: where it came from, every reason, and the record itself, as JSON."""
    import msgspec

    quarantine = _quarantine()
    entry = quarantine.find(digest, _checked(table))
    record, head = quarantine.content(entry)
    shown = asdict(entry) | {
        "record": _text(record),
        "head": _text(head) or None,
        "note": None if entry.retryable else "The record itself was not kept and must be sent again.",
    }
    typer.echo(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())


@commands.command()
def retry(
    digests: Annotated[list[str] | None, typer.Argument(help="Digests, or enough of their start.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every record that was kept.")] = False,
    table: TableOption = None,
) -> None:
    """Ingest refused records again; those accepted leave the quarantine. Exit 3 if some are refused again."""
    from datetime import UTC, datetime

    from audience_pipeline.cli.ingest import print_report
    from audience_pipeline.ingest.files import Landing
    from audience_pipeline.ingest.run import retry_entries
    from audience_pipeline.settings import load_settings
    from audience_pipeline.storage import open_store

    entries = _chosen(_quarantine(), digests or [], everything=everything, table=_checked(table))
    settings = load_settings()
    with open_store(settings) as store:
        landing = Landing(store, settings, lambda: datetime.now(UTC))
        reports = retry_entries(landing, entries)
    for report in reports:
        print_report(landing, report.table, [report])
    lost = [entry for entry in entries if not entry.retryable]
    for entry in lost:
        typer.echo(f"{entry.digest[:_SHORT_DIGEST]} was not kept and must be sent again.", err=True)
    if lost or any(report.rejected for report in reports):
        raise typer.Exit(_REFUSED)


def _chosen(quarantine: "Quarantine", digests: list[str], *, everything: bool, table: str | None) -> "list[Entry]":
    if digests:
        return [quarantine.find(digest, table) for digest in digests]
    if everything or table:
        return quarantine.entries(table)
    subject = "quarantine retry"
    raise UsageError(
        subject,
        found="no records named",
        expected="digests, --table or --all",
        remedy="`audience-pipeline quarantine list` shows the digests.",
    )


def _checked(table: str | None) -> str | None:
    return source_table(table, "--table").name if table is not None else None


def _quarantine() -> "Quarantine":
    from audience_pipeline.ingest.quarantine import Quarantine
    from audience_pipeline.settings import load_settings

    return Quarantine(load_settings().quarantine_dir)


def _row(entry: "Entry") -> dict[str, Any]:
    return {
        "digest": entry.digest[:_SHORT_DIGEST],
        "table": entry.table,
        "file": entry.file,
        "line": entry.line,
        "reasons": "; ".join(
            f"{each.field}: {each.code}, found {each.found}, expected {each.expected}" for each in entry.problems
        ),
        "first_seen": entry.first_seen,
        "seen": entry.seen,
        "waiting_for": ", ".join(entry.waiting_for),
        "retryable": entry.retryable,
    }


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode(errors="backslashreplace")
