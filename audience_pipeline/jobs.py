"""The landing job: one step that lands all files waiting, and reports each month it touched.

Belongs here: the job and its report. Does not belong here: landing itself; the command line's `ingest` does the same.
"""

from typing import Any

import dagster as dg

from audience_pipeline.policies import classed_failures
from audience_pipeline.settings import Settings


@dg.op(out=dg.Out(dg.Nothing), description="Lands all files waiting: users, audiences, platforms, distributions.")
def land(
    settings: dg.ResourceParam[Settings],
    store: dg.ResourceParam[Any],
    clock: dg.ResourceParam[Any],
) -> None:
    """Land, report, and only then fail, where a file could not be read: the others are finished by then."""
    from audience_pipeline.ingest.landing import land_pending

    with classed_failures():
        land_pending(store, settings, clock)


@dg.job(description="Lands the files that wait in the landing directory.")
def landing() -> None:
    """Land the files that wait."""
    land()
