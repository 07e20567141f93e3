"""`query` and `sql`: questions to the stored tables.

Belongs here: arguments in, rows out. Does not belong here: how a question is answered (`audience_pipeline.queries`).
"""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audience_pipeline.cli.arguments import moment
from audience_pipeline.cli.output import FormatOption, OutputFormat, print_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from audience_pipeline.queries.answers import QueryStore
    from audience_pipeline.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(query)
    app.command()(sql)


def query(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="user-audiences, audience-detail, distribution-history, active-platforms or recent-distributions.",
        ),
    ],
    user_id: Annotated[str | None, typer.Option(help="Whose rows; all but audience-detail need it.")] = None,
    audience_id: Annotated[str | None, typer.Option(help="For audience-detail and distribution-history.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(parser=moment, metavar="TIME", help="For recent-distributions: created after it, ISO 8601."),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="For recent-distributions: at most so many (50).")] = None,
    include_archive: Annotated[bool, typer.Option("--include-archive", help="Archived distributions, too.")] = False,
    output: FormatOption = OutputFormat.TABLE,
) -> None:
    """Answer one of the documented access patterns."""
    from audience_pipeline.queries import PATTERNS, run
    from audience_pipeline.storage import open_store
    from audience_pipeline.tables import LogicalType

    options: dict[str, Any] = {"user_id": user_id, "audience_id": audience_id, "since": since, "limit": limit}
    given = {option: value for option, value in options.items() if value is not None}
    with open_store(reading=True) as store:
        rows = run(store, name, include_archive=include_archive, **given)
        if not include_archive:
            _mention_archived(store, name, given)
    json_columns = [column.name for column in PATTERNS[name].table.of_type(LogicalType.JSON)]
    print_rows(rows, output, json_columns)


def _mention_archived(store: "QueryStore", name: str, given: dict[str, Any]) -> None:
    from audience_pipeline.queries import count_archived

    if count := count_archived(store, name, **given):
        subject, them = ("distribution is", "it") if count == 1 else ("distributions are", "them")
        typer.echo(f"{count} archived {subject} not shown; --include-archive shows {them}.", err=True)


def sql(
    statement: Annotated[
        str, typer.Argument(metavar="STATEMENT", help="One SELECT; in DuckDB also DESCRIBE, SHOW, SUMMARIZE, EXPLAIN.")
    ],
    user_id: Annotated[str | None, typer.Option(help="In a session that is sealed to this user's rows.")] = None,
    output: FormatOption = OutputFormat.TABLE,
) -> None:
    """Run a SELECT over all users' tables, or over those of one user.

    Dialect and views are those of the backend: DuckDB's with the catalog, or BigQuery's (docs/analysts.md).
    """
    from audience_pipeline.settings import load_settings

    settings = load_settings()
    rows, json_columns = _read(settings, statement) if user_id is None else _sealed(settings, user_id, statement)
    print_rows(rows, output, json_columns)


def _sealed(settings: "Settings", user_id: str, statement: str) -> "tuple[pa.Table, frozenset[str]]":
    from audience_pipeline.queries.sessions import open_session

    with open_session(user_id, settings) as session:
        return session.read(statement)


def _read(settings: "Settings", statement: str) -> "tuple[pa.Table, frozenset[str]]":
    """Return what a statement finds and which columns are JSON, from the configured backend."""
    from audience_pipeline.queries import statements, warehouse_statements

    if settings.backend == "bigquery":
        return warehouse_statements.read(settings, statement)
    return statements.read(settings.data_dir, statement)
