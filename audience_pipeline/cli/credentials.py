"""`credentials`: sealing records, and the keys they are sealed with.

Belongs here: the commands. Does not belong here: sealing, rotating or counting. What cannot be sealed is named on
stderr, and left out; progress goes to stderr, too.
"""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from audience_pipeline.cli.output import FormatOption, OutputFormat, print_rows

if TYPE_CHECKING:
    from audience_pipeline.rotation.counting import Unopened
    from audience_pipeline.rotation.rotating import Rotated

_REFUSED = 3
_NAMED = 20
commands = typer.Typer(name="credentials", no_args_is_help=True, help="Platform credentials, sealed at rest.")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(commands)


@commands.command()
def seal() -> None:
    """Seal the credentials of platform records, one a line, from stdin to stdout. Exit 3 if some cannot be."""
    from audience_pipeline.ingest.chunks import RefusedLine
    from audience_pipeline.ingest.plaintext import sealed_lines
    from audience_pipeline.ingest.secrets import configured_keyset
    from audience_pipeline.settings import load_settings

    refused = False
    for line in sealed_lines(sys.stdin.buffer, configured_keyset(load_settings())):
        if isinstance(line, RefusedLine):
            refused = True
            problem = line.problems[0]
            where = f"line {line.number}, {problem.field}"
            typer.echo(f"{where}: found {problem.found}, expected {problem.expected}. {problem.remedy}", err=True)
        else:
            sys.stdout.buffer.write(line + b"\n" if line else b"")
    sys.stdout.buffer.flush()
    if refused:
        raise typer.Exit(_REFUSED)


@commands.command()
def status(output: FormatOption = OutputFormat.TABLE) -> None:
    """Count sealed rows by key, and name those that do not open. Exit 1 if there are any."""
    import pyarrow as pa

    from audience_pipeline.ingest.quarantine import Quarantine
    from audience_pipeline.ingest.secrets import configured_keyset
    from audience_pipeline.rotation.counting import count_keys
    from audience_pipeline.settings import load_settings
    from audience_pipeline.storage import open_store

    settings = load_settings()
    keyset = configured_keyset(settings)
    with open_store(settings, reading=True) as store:
        keys = count_keys(store, Quarantine(settings.quarantine_dir), keyset)
    names = ("key", "status", "table", "rows")
    print_rows(pa.table({name: [getattr(use, name) for use in keys.uses] for name in names}), output)
    if keys.unopened:
        _name_unopened(keys.unopened)
        raise typer.Exit(1)


@commands.command()
def rotate(output: FormatOption = OutputFormat.TABLE) -> None:
    """Seal with a new key, bring every sealed row under it, and retire the others.

    Ingests, deliveries and readers go on meanwhile. Killed anywhere, the same command goes on where it was. Exit 3 if
    rows are left that open under no key.
    """
    from datetime import UTC, datetime

    import pyarrow as pa

    from audience_pipeline.rotation.rotating import Rotation
    from audience_pipeline.settings import load_settings
    from audience_pipeline.storage import open_store
    from audience_pipeline.storage.audit import account

    settings = load_settings()
    with open_store(settings) as store:
        rotated = Rotation(store, settings, lambda: datetime.now(UTC), account(), _tell_progress).run()
    counts = {table: count for table, count in rotated.resealed.items() if count}
    print_rows(pa.table({"table": list(counts), "resealed": pa.array(counts.values(), pa.int64())}), output)
    typer.echo(f"Key {rotated.key} seals now; retired: {', '.join(rotated.retired) or 'none'}.", err=True)
    if rotated.left:
        typer.echo("Rows that open under no key were left as they are; `credentials status` names them.", err=True)
        raise typer.Exit(_REFUSED)


@commands.command()
def wrap(
    source: Annotated[
        str | None, typer.Option("--from", metavar="URI", help="The key that wraps it until now, gcp-kms://…")
    ] = None,
) -> None:
    """Have the key of AUDIENCE_PIPELINE_KMS_KEY_URI wrap the keyset's file, which is not wrapped, or by another key."""
    from audience_pipeline.rotation.wrapping import wrap_keyset
    from audience_pipeline.settings import load_settings

    settings = load_settings()
    wrap_keyset(settings, source)
    typer.echo(f"{settings.keyset} is wrapped by {settings.kms_key_uri}.", err=True)


def _tell_progress(rotated: "Rotated") -> None:
    done = ", ".join(f"{count:,} of {table}" for table, count in rotated.resealed.items() if count)
    typer.echo(f"Resealed {done}.", err=True)


def _name_unopened(unopened: "list[Unopened]") -> None:
    for each in unopened[:_NAMED]:
        problem = each.problem
        what = f"{problem.field}: found {problem.found}, expected {problem.expected}. {problem.remedy}"
        typer.echo(f"{each.table} {each.place} of user {each.user_id}, {what}", err=True)
    if len(unopened) > _NAMED:
        typer.echo(f"and {len(unopened) - _NAMED:,} others", err=True)
