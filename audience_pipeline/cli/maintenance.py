"""`verify` and `vacuum`: what an operator does to a store as a whole.

Belongs here: arguments in, findings out. Does not belong here: how the store is proved or mended.
"""

from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audience_pipeline.cli.output import FormatOption, OutputFormat, print_rows

if TYPE_CHECKING:
    from audience_pipeline.settings import Settings
    from audience_pipeline.storage.contract import Finding, TableStore


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(verify)
    app.command()(vacuum)


def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended without losing a row.")] = False,
    output: FormatOption = OutputFormat.TABLE,
) -> None:
    """Prove the store's invariants; exit 1 if one is broken.

    Types, places, keys, state and references are checked, the archive against its manifest, and waiting files for
    secrets in plaintext. Leftover temporary files are listed and break nothing.
    """
    from audience_pipeline.settings import load_settings

    settings = load_settings()
    findings = [*_verified(settings, repair=repair), *_plaintext(settings.landing_dir)]
    if findings or output is not OutputFormat.TABLE:
        _print(findings, output)
    wrong = [finding for finding in findings if not (finding.harmless or finding.repaired)]
    typer.echo(f"{len(findings)} findings, {len(wrong)} to be mended." if findings else "The store is sound.", err=True)
    if wrong:
        raise typer.Exit(1)


def _verified(settings: "Settings", *, repair: bool) -> "list[Finding]":
    """Verify the store; a repair opens it again where that is what mends the state."""
    from audience_pipeline.storage import open_store
    from audience_pipeline.storage.parquet.opening import require_directory
    from audience_pipeline.storage.parquet.verify import STATE_DAMAGE

    if settings.backend == "parquet":
        require_directory(settings.data_dir)
    with open_store(settings, reading=not repair) as store:
        findings = store.verify(repair=repair)
        if STATE_DAMAGE not in {finding.kind for finding in findings}:
            return [*findings, *_archive(store, repair=repair)]
    if not repair:
        return findings
    with open_store(settings) as store:
        mended = (replace(finding, repaired=True) for finding in findings)
        return [*mended, *store.verify(repair=True), *_archive(store, repair=True)]


def _archive(store: "TableStore", *, repair: bool) -> "list[Finding]":
    """Hold the archive against its manifest."""
    from datetime import UTC, datetime

    from audience_pipeline.retention.verifying import verify

    return verify(store, lambda: datetime.now(UTC), repair=repair)


def _plaintext(landing_dir: Path) -> "Iterator[Finding]":
    """Yield the landing files that are refused as a whole, which stay where their sender put them."""
    from audience_pipeline.ingest.plaintext import plaintext_files
    from audience_pipeline.storage.contract import Finding

    for path in plaintext_files(landing_dir):
        yield Finding(
            kind="plaintext",
            object=str(path),
            found="a line that may hold a secret in plaintext",
            expected="sealed credentials, and declared members only",
            remedy="Pass it through `audience-pipeline credentials seal`, land what comes out, and remove this file.",
        )


def _print(findings: "list[Finding]", output: OutputFormat) -> None:
    import pyarrow as pa

    from audience_pipeline.storage.contract import Finding

    columns = {item.name: pa.bool_() if item.type is bool else pa.string() for item in fields(Finding)}
    rows = [asdict(finding) for finding in findings]
    print_rows(pa.Table.from_pylist(rows, schema=pa.schema(columns)), output)


def vacuum() -> None:
    """Remove files without rows and leftover temporary ones.

    For a quiet moment: a reader at work may be about to open them.
    """
    from audience_pipeline.settings import load_settings
    from audience_pipeline.storage import open_files
    from audience_pipeline.storage.parquet.opening import require_directory

    settings = load_settings()
    require_directory(settings.data_dir)
    with open_files(settings) as store:
        removed = store.vacuum()
    for path in removed:
        typer.echo(path)
    typer.echo(f"Removed {len(removed)} files.", err=True)
