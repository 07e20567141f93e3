"""The page docs/benchmarks.md: the table of one run, and what it takes to repeat it.

Belongs here: text. Does not belong here: measuring.
"""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.measuring import Result

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_PACKAGES = ("audience_pipeline", "polars", "duckdb", "pyarrow", "dagster", "msgspec", "deltalake", "orjson")

HEAD = ("| what | ours | other | found | bar | verdict | how |", "|---|---|---|---|---|---|---|")
"""The head of the table."""

_TEMPLATE = """# Benchmarks

Every line compares two programs in one run, in turns, on the same data; times are medians of several repeats after a
warm-up, with the shortest in parentheses. Ratios carry over to other machines, seconds do not.

{table}

Taken on {date} with {cores} cores, Python {python}, {versions}. When it ended the load average of 15 minutes was
{load:.1f}: where that is above the number of cores, other programs took their share of both sides.

Repeat it with `make bench` (it needs about 3 GB of free space and writes this page), or run some lines only:
`make bench ARGS="one_month spread"`. The lines of BigQuery (`bigquery`) are taken on the emulator, where that can be
installed.
"""


def page(results: Sequence[Result]) -> str:
    """Return the page's text."""
    return _TEMPLATE.format(
        table="\n".join([*HEAD, *map(line, results)]),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        cores=os.cpu_count(),
        load=os.getloadavg()[2],
        python=platform.python_version(),
        versions=", ".join(f"{name} {version(name)}" for name in _PACKAGES),
    )


def line(result: Result) -> str:
    """Return a result as a line of the table."""
    cells = result.what, result.ours, result.other, result.found, result.bar, result.verdict, result.note
    return f"| {' | '.join(cells)} |"
