"""`credentials seal`: plaintext platform records in, sealed ones out.

Belongs here: the pipe. Does not belong here: sealing. What cannot be sealed is named on stderr, and left out.
"""

import sys

import typer

_REFUSED = 3
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
