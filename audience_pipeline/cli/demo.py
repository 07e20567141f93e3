"""`demo`: the whole loop on generated data, told step by step.

Belongs here: what people see of it. Does not belong here: the steps (`audience_pipeline.demo`). Progress goes to stderr
and what the steps came to, to stdout, as with every command.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audience_pipeline.cli.demo_ending import what_to_open
from audience_pipeline.cli.output import OutputFormat, print_rows

if TYPE_CHECKING:
    from audience_pipeline.demo.answers import Answer
    from audience_pipeline.demo.loop import Loop
    from audience_pipeline.demo.place import Place
    from audience_pipeline.demo.sizes import Sizes
    from audience_pipeline.ingest.quarantine import Entry
    from audience_pipeline.runs import Checked, Materialized, Outcome
    from audience_pipeline.storage.bigquery.store import BigQueryStore
    from audience_pipeline.storage.parquet.store import ParquetStore

    Digests = Mapping[str, Mapping[int, str]]

_WIDEST = 36
_NARROW = 26


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(demo)


def demo(
    directory: Annotated[Path, typer.Option(help="A new directory, or one a demo ran in before.")] = Path("demo"),
    size: Annotated[int | None, typer.Option(min=100, help="Distributions to generate (5000).")] = None,
    seed: Annotated[int | None, typer.Option(min=1, help="Which world to generate (1).")] = None,
) -> None:
    """Run the whole loop on generated data, on the configured backend; safe to repeat.

    All is kept in the directory but BigQuery's tables: they are made in the dataset of the settings, which must not be
    there yet.
    """
    from audience_pipeline.demo.loop import LARGEST_TENANT, loop_at
    from audience_pipeline.demo.place import place_at
    from audience_pipeline.storage import open_store

    place = place_at(directory, seed=seed, size=size)
    place.write_environment()
    _introduce(place)
    with ExitStack() as stack:
        with _step("Starting Dagster"):
            loop = stack.enter_context(loop_at(place))
        with open_store(place.settings) as store:
            with _step("Making the store, as `audience-pipeline migrate` does"):
                loop.prepare()
            _run(loop, store, loop.digests(store) if place.former else {})
    typer.echo(what_to_open(place, LARGEST_TENANT))


def _run(loop: "Loop", store: "ParquetStore | BigQueryStore", before: "Digests") -> None:
    """Take the steps and show what they came to; ``before`` is what a former demo left."""
    if any(before.values()):
        typer.echo("The demo ran here before: it lands the same records again, and nothing should change.", err=True)
    with _step("Generating records, sealing credentials, writing landing files"):
        loop.generate()
    with _step("Landing the files: Dagster's landing job"):
        landed = loop.land()
    with _step("Materializing and checking the tables: one Dagster run over all months"):
        materialized = loop.materialize()
    _show_landed(landed)
    _show_refused(loop.refused())
    _show_materialized(materialized)
    if any(before.values()) and loop.digests(store) == before:
        typer.echo("Nothing changed: every table has the content digests it had before.")
    _show_sizes(loop.sizes(store))
    for answer in loop.answers(store):
        _show_answer(answer)


def _introduce(place: "Place") -> None:
    world = place.world
    typer.echo(
        f"A world of {world.tenants} tenants, {world.audience_count:,} audiences and"
        f" {world.distribution_count:,} distributions in {world.months} months, kept in {place.root}",
        err=True,
    )
    if place.settings.backend == "bigquery":
        at = place.settings.bigquery_api_endpoint
        typer.echo(f"Its tables are in BigQuery, {place.mark.tables}{f', emulated at {at}' if at else ''}", err=True)
    typer.echo(err=True)


@contextmanager
def _step(name: str) -> Iterator[None]:
    """Tell on stderr what is under way, and then how long it took."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    start = perf_counter()
    with console.status(f"{name} ..."):
        yield
    console.print(f"[green]✓[/green] {name} [dim]{perf_counter() - start:.1f} s[/dim]")


def _show_landed(outcome: "Outcome") -> None:
    assets = dict.fromkeys(event.asset for event in outcome.materialized)
    rows = [_landed(asset, [event for event in outcome.materialized if event.asset == asset]) for asset in assets]
    _show("What landed", rows, note="" if rows else "Nothing: every file landed before.")


def _landed(asset: str, events: "Sequence[Materialized]") -> Mapping[str, object]:
    records = [event.metadata["records"] for event in events]
    return {
        "asset": asset,
        "months": len({event.partition for event in events if event.partition}) or None,
        "records": sum(count for count in records if isinstance(count, int)),
    }


def _show_refused(entries: "Sequence[Entry]") -> None:
    _show(
        "What was refused, and why",
        [
            {"record": f"{Path(entry.file).parent.name}:{entry.line}", **_reason(problem)}
            for entry in entries
            for problem in entry.problems
        ],
        note="Every reason of a record at once; `audience-pipeline quarantine show` tells all of each.",
        widest=_NARROW,
    )


def _reason(problem: Any) -> Mapping[str, str]:  # noqa: ANN401 - a Problem, which is heavy to import for its name
    return {"field": problem.field, "found": problem.found, "expected": problem.expected}


def _show_materialized(outcome: "Outcome") -> None:
    names = ("inserted", "updated", "unchanged", "stale", "refused")
    rows = []
    for asset, events in _by_asset(outcome).items():
        checks = [check for check in outcome.checks if check.asset == asset]
        rows.append({"asset": asset, **{name: events.get(name, 0) for name in names}, "checks": _passed(checks)})
    _show("What the materializations stored", rows)
    for check in outcome.checks:
        if not check.passed:
            typer.echo(f"Failed: {check.check} of {check.asset}: {check.summary}")


def _by_asset(outcome: "Outcome") -> dict[str, Mapping[str, object]]:
    """Return the metadata of each asset's run; a run over a range of months repeats it for every month."""
    return {event.asset: event.metadata for event in outcome.materialized}


def _passed(checks: "Sequence[Checked]") -> str:
    return f"{sum(check.passed for check in checks)} of {len(checks)} passed"


def _show_sizes(found: "Sizes") -> None:
    measured = all(size.bytes is not None for size in found.tables)
    _show(
        "How large the tables are",
        [
            {"table": size.table, "rows": size.rows, "users": size.users, found.parts: size.parts}
            | ({"bytes": size.bytes} if measured else {})
            for size in found.tables
        ],
    )


def _show_answer(answer: "Answer") -> None:
    options = " ".join(f"--{name.replace('_', '-')} {_argument(value)}" for name, value in answer.arguments.items())
    found = f"{answer.rows:,} {'row' if answer.rows == 1 else 'rows'} in {1000 * answer.seconds:.0f} ms"
    part = "its largest segments" if answer.name == "audience-detail" else "the first of them"
    _show(f"query {answer.name} {options}", answer.shown.to_pylist(), note=f"{found}, {part}:")


def _argument(value: object) -> str:
    return f"{value:%Y-%m-%d}" if isinstance(value, datetime) else str(value)


def _show(title: str, rows: Sequence[Mapping[str, object]], *, note: str = "", widest: int = _WIDEST) -> None:
    """Print rows under a title and a note; text longer than ``widest`` is cut, so that columns stay side by side."""
    import pyarrow as pa

    typer.echo()
    typer.secho(title, bold=True)
    if note:
        typer.echo(note)
    columns = {name: _cells(name, [row.get(name) for row in rows], widest) for name in (rows[0] if rows else ())}
    print_rows(pa.table(columns), OutputFormat.TABLE)


def _cells(name: str, values: Sequence[object], widest: int) -> list[str]:
    """Return a column as text, numbers to the right."""
    texts = [_cell(value, widest) for value in values]
    width = max(map(len, [name, *texts]))
    numeric = all(value is None or isinstance(value, int | float) for value in values)
    return [text.rjust(width) for text in texts] if numeric else texts


def _cell(value: object, widest: int) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    text = "" if value is None else str(value)
    return text if len(text) <= widest else f"{text[: widest - 1]}…"
