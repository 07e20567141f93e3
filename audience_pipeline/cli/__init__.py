"""The command line, `audience-pipeline`: one module a group of commands, each a thin skin over the Python interface.

Belongs here: the application and what all commands share: how errors end, where logs go, the version. Does not belong
here: any command. Answers go to stdout, everything else to stderr. Commands import what they need when they run, so
that help is instant.
"""

import logging
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from audience_pipeline.cli import (
    approval,
    copy,
    credentials,
    deliver,
    demo,
    ingest,
    maintenance,
    migration,
    quarantine,
    query,
    refresh,
    retention,
    sandbox,
)
from audience_pipeline.errors import PipelineError


class _Commands(TyperGroup):
    """Commands whose expected errors end with their message and exit code, and without a traceback."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - a type private to the framework
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except PipelineError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(error.exit_code) from None


app = typer.Typer(
    name="audience-pipeline",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some records were refused.",
)


def _print_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"audience-pipeline {version('audience_pipeline')}")
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Land audience records, keep them as typed tables, and ask the tables questions."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")


for _group in (
    demo,
    ingest,
    quarantine,
    query,
    approval,
    deliver,
    refresh,
    retention,
    migration,
    copy,
    maintenance,
    credentials,
    sandbox,
):
    _group.register(app)
