"""Run the benchmarks: ``python -m bench`` runs all, ``python -m bench one_month spread`` runs those two.

A full run writes docs/benchmarks.md; a partial one only prints. A full run leaves BigQuery out where its emulator is
not installed.
"""

import sys
from collections.abc import Callable

from bench.deliveries import agenda, delivering
from bench.importing import importing
from bench.ingest import ingest
from bench.initial import initial, large
from bench.measuring import Result
from bench.patterns import by_id, patterns
from bench.report import HEAD, PAGE, line, page
from bench.retention import retention
from bench.sessions import sessions
from bench.upserts import growth, one_month, spread
from bench.warehouse import bigquery
from bench.workbench import Workbench
from emulator.installation import Installation

ROWS: dict[str, Callable[[Workbench], list[Result]]] = {
    each.__name__: each
    for each in (
        one_month,
        spread,
        initial,
        large,
        patterns,
        by_id,
        growth,
        agenda,
        delivering,
        retention,
        sessions,
        ingest,
        importing,
        bigquery,
    )
}


def main(names: list[str]) -> None:
    """Run the named rows, or all of them, and print each as it is done."""
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        sys.exit(f"found {', '.join(unknown)}, expected some of {', '.join(ROWS)}, or nothing to run all")
    results: list[Result] = []
    print("\n".join(HEAD))
    with Workbench.opened() as bench:
        for name in names or _possible():
            found = ROWS[name](bench)
            print("\n".join(map(line, found)), flush=True)
            results += found
    if not names:
        PAGE.write_text(page(results))


def _possible() -> list[str]:
    """Return the rows of a full run."""
    if Installation().complete:
        return list(ROWS)
    print("The lines of BigQuery are left out: no emulator is installed (`make emulator`).", file=sys.stderr)
    return [name for name in ROWS if name != bigquery.__name__]


if __name__ == "__main__":
    main(sys.argv[1:])
