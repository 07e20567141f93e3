"""`copy`: one store into another, on the same backend or from one to the other.

Belongs here: which stores are meant, what was copied, and progress. Does not belong here: copying.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from audience_pipeline.cli.output import FormatOption, OutputFormat, print_rows

if TYPE_CHECKING:
    from audience_pipeline.settings import Settings
    from audience_pipeline.storage.contract import TableStore
    from audience_pipeline.transfer import Part, Transfer

_PLACES = "parquet (the directory of the settings), parquet:DIRECTORY or bigquery"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(copy)


def copy(
    source: Annotated[str, typer.Option("--from", metavar="STORE", help=f"What is copied: {_PLACES}.")],
    target: Annotated[str, typer.Option("--to", metavar="STORE", help="Where to; named alike. It must be empty.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only compare, and say what would be copied.")] = False,
    output: FormatOption = OutputFormat.TABLE,
) -> None:
    """Copy all tables, their history and the landed records from one store to another, and prove both alike.

    Killed anywhere, the same command goes on where it was; what is there already is left alone. A target that holds
    anything else is refused. Stop schedules and sensors first: nobody may write to either store meanwhile.
    """
    from audience_pipeline.storage import open_store
    from audience_pipeline.transfer import Transfer

    places = _settings(source, "--from"), _settings(target, "--to")
    _refuse_same(*places)
    with open_store(places[0], reading=True) as one, _target(places[1], dry_run=dry_run) as other:
        transfer = Transfer(one, other)
        if dry_run:
            _print(transfer.plan(), "to copy", output)
        else:
            _print(_copied(transfer, places[0], target), "copied", output)
    if not dry_run and places[1].backend == "parquet":
        _write_catalog(places[1])


def _settings(place: str, option: str) -> "Settings":
    """Return the settings of the store an option names.

    Raises:
        UsageError: it names none.
    """
    from audience_pipeline.errors import UsageError
    from audience_pipeline.settings import load_settings

    backend, _, directory = place.partition(":")
    if backend == "parquet" and (directory or ":" not in place):
        return load_settings(backend="parquet", **({"data_dir": Path(directory)} if directory else {}))
    if place == "bigquery":
        return load_settings(backend="bigquery")
    raise UsageError(option, found=repr(place), expected=_PLACES, remedy="Name one of these stores.")


def _refuse_same(source: "Settings", target: "Settings") -> None:
    from audience_pipeline.errors import UsageError

    directories = source.data_dir.resolve(), target.data_dir.resolve()
    if source.backend == target.backend and (source.backend == "bigquery" or directories[0] == directories[1]):
        raise UsageError(
            object="--to",
            found="the store that is copied",
            expected="another one",
            remedy="Name the other store, such as parquet:DIRECTORY.",
        )


@contextmanager
def _target(settings: "Settings", *, dry_run: bool) -> "Iterator[TableStore]":
    """Open a store to be written; a directory that is not there yet is an empty one, and a dry run does not make it."""
    from audience_pipeline.storage import open_store

    if not dry_run:
        with open_store(settings) as store:
            yield store
    elif settings.backend == "bigquery" or settings.data_dir.is_dir():
        with open_store(settings, reading=True) as store:
            yield store
    else:
        with (
            TemporaryDirectory() as nowhere,
            open_store(settings.model_copy(update={"data_dir": Path(nowhere)})) as store,
        ):
            yield store


def _copied(transfer: "Transfer", source: "Settings", target: str) -> "list[Part]":
    """Copy, telling each part on stderr; return all parts, those that were there already still as they were."""
    from audience_pipeline.tables import AUDIT_LOG

    with transfer.exclusive():
        parts = transfer.plan()
        if not all(part.done for part in parts):
            _record_export(source, target)
            parts = transfer.plan_again(parts, AUDIT_LOG)
        waiting = sum(not part.done for part in parts)
        typer.echo(f"{len(parts) - waiting} of {len(parts)} parts are there already.", err=True)
        for number, part in enumerate(transfer.run(parts), start=1):
            typer.echo(f"{part}: {part.rows:,} rows ({number} of {waiting})", err=True)
    typer.echo("Both stores hold the same.", err=True)
    return parts


def _record_export(settings: "Settings", target: str) -> None:
    """Have the audit log of the source tell each tenant that its rows are copied, where it can be written."""
    from datetime import UTC, datetime

    from audience_pipeline.errors import StorageError
    from audience_pipeline.storage import open_store
    from audience_pipeline.storage.audit import Entry, account, record
    from audience_pipeline.tables import STORED

    try:
        with open_store(settings) as store:
            users = sorted({home.user_id for table in STORED for home in store.homes(table)})
            now, by = datetime.now(UTC), account()
            record(store, (Entry(user, now, "export", by, f"copy to {target}") for user in users))
    except StorageError as error:
        typer.echo(f"The audit log does not tell of this copy: {error}", err=True)


def _print(parts: "list[Part]", state: str, output: OutputFormat) -> None:
    import pyarrow as pa

    from audience_pipeline.storage.months import month_text

    columns = {
        "table": pa.array([part.table for part in parts], pa.string()),
        "month": pa.array([month_text(part.month) if part.month else None for part in parts], pa.string()),
        "rows": pa.array([part.rows for part in parts], pa.int64()),
        "state": pa.array(["there" if part.done else state for part in parts], pa.string()),
    }
    print_rows(pa.table(columns), output)


def _write_catalog(settings: "Settings") -> None:
    from audience_pipeline.queries.catalog import ensure_catalog

    ensure_catalog(settings.data_dir.absolute())
