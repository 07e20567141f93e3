"""`migrate`: makes the backend, or brings it up to date.

Belongs here: arguments in, what was done out. Does not belong here: how a backend is made.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from audience_pipeline.cli.output import FormatOption, OutputFormat, print_rows

if TYPE_CHECKING:
    from audience_pipeline.settings import Settings
    from audience_pipeline.storage.bigquery.migration import Step


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(migrate)


def migrate(
    apply_changes: Annotated[
        bool,
        typer.Option("--apply-changes", help="BigQuery: change tables that are there, where that loses nothing."),
    ] = False,
    access: Annotated[
        bool,
        typer.Option(help="BigQuery: write row access policies and grants, too; the service accounts must exist."),
    ] = True,
    output: FormatOption = OutputFormat.TABLE,
) -> None:
    """Make or update the backend: the data directory and its catalog, or BigQuery's datasets, tables, views and rules.

    Safe to repeat; needed after a data directory was moved. Tables of BigQuery that lack a declared column are named,
    and changed with --apply-changes; a change that would lose rows is refused.
    """
    from audience_pipeline.settings import load_settings

    settings = load_settings()
    if settings.backend == "bigquery":
        _migrate_bigquery(settings, output, apply_changes=apply_changes, access=access)
    else:
        _migrate_files(settings)


def _migrate_files(settings: "Settings") -> None:
    from audience_pipeline.queries.catalog import write_catalog
    from audience_pipeline.storage.parquet.store import ParquetStore

    with ParquetStore(settings.data_dir) as store:
        typer.echo(write_catalog(store.root))


def _migrate_bigquery(settings: "Settings", output: OutputFormat, *, apply_changes: bool, access: bool) -> None:
    from audience_pipeline.storage.bigquery.client import open_warehouse
    from audience_pipeline.storage.bigquery.migration import Migration

    with open_warehouse(settings) as warehouse:
        steps = Migration(warehouse, settings).run(apply_changes=apply_changes, access=access)
    _print(steps, output)
    waiting = [step for step in steps if step.state == "waiting"]
    if waiting:
        typer.echo(f"To be changed: {len(waiting)}. Run again with --apply-changes.", err=True)
        raise typer.Exit(1)


def _print(steps: "list[Step]", output: OutputFormat) -> None:
    import pyarrow as pa

    columns = ("object", "state", "detail")
    rows = {name: pa.array([getattr(step, name) for step in steps], pa.string()) for name in columns}
    print_rows(pa.table(rows), output)
