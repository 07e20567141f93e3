"""`migrate`, `verify` and `vacuum`: what an operator does to a store as a whole.

Belongs here: arguments in, findings out. Does not belong here: how the store is proved or mended.
"""

from dataclasses import asdict, fields
from typing import Annotated

import typer

from audience_pipeline.cli.output import FormatOption, OutputFormat, print_rows


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(migrate)
    app.command()(verify)
    app.command()(vacuum)


def migrate() -> None:
    """Make or update the data directory and its catalog.

    Safe to repeat, and needed after the directory was moved.
    """
    from audience_pipeline.queries.catalog import write_catalog
    from audience_pipeline.storage import open_store

    with open_store() as store:
        typer.echo(write_catalog(store.root))


def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended without losing a row.")] = False,
    output: FormatOption = OutputFormat.TABLE,
) -> None:
    """Prove the store's invariants; exit 1 if one is broken.

    Types, places, keys, state and references are checked; leftover temporary files are listed and break nothing.
    """
    import pyarrow as pa

    from audience_pipeline.storage import open_store
    from audience_pipeline.storage.contract import Finding

    with open_store() as store:
        findings = store.verify(repair=repair)
    if findings or output is not OutputFormat.TABLE:
        columns = {item.name: pa.bool_() if item.type is bool else pa.string() for item in fields(Finding)}
        rows = [asdict(finding) for finding in findings]
        print_rows(pa.Table.from_pylist(rows, schema=pa.schema(columns)), output)
    wrong = [finding for finding in findings if not (finding.harmless or finding.repaired)]
    typer.echo(f"{len(findings)} findings, {len(wrong)} to be mended." if findings else "The store is sound.", err=True)
    if wrong:
        raise typer.Exit(1)


def vacuum() -> None:
    """Remove files without rows and leftover temporary ones.

    For a quiet moment: a reader at work may be about to open them.
    """
    from audience_pipeline.storage import open_store

    with open_store() as store:
        removed = store.vacuum()
    for path in removed:
        typer.echo(path)
    typer.echo(f"Removed {len(removed)} files.", err=True)
