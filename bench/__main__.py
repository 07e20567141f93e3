"""Run the benchmarks: ``python -m bench`` runs all, ``python -m bench one_month spread`` runs those two.

A full run writes docs/benchmarks.md; a partial one only prints.
"""

import sys
from collections.abc import Callable

from bench.initial import initial
from bench.measuring import Result
from bench.report import PAGE, lines, page
from bench.upserts import one_month, spread
from bench.workbench import Workbench

ROWS: dict[str, Callable[[Workbench], Result]] = {"one_month": one_month, "spread": spread, "initial": initial}


def main(names: list[str]) -> None:
    """Run the named rows, or all of them, and print each as it is done."""
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        sys.exit(f"found {', '.join(unknown)}, expected some of {', '.join(ROWS)}, or nothing to run all")
    results = []
    with Workbench.opened() as bench:
        for name in names or ROWS:
            print(f"{name} …", file=sys.stderr)
            results.append(ROWS[name](bench))
            print("\n".join(lines(results[-1:])[2 if len(results) > 1 else 0 :]), flush=True)
    if not names:
        PAGE.write_text(page(results))


main(sys.argv[1:])
