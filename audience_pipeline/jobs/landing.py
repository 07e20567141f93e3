"""The landing job: one step that lands all files waiting, and reports each month it touched.

Belongs here: the job and its report. Does not belong here: landing itself; the command line's `ingest` does the same.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from audience_pipeline.assets.landed import landed_event
from audience_pipeline.policies import classed_failures
from audience_pipeline.settings import Settings
from audience_pipeline.tables import TABLES

if TYPE_CHECKING:
    from audience_pipeline.ingest.files import LandedFile

_SHOWN = 100


@dg.op(out=dg.Out(dg.Nothing), description="Lands all files waiting: users, audiences, platforms, distributions.")
def land(
    context: dg.OpExecutionContext,
    settings: dg.ResourceParam[Settings],
    store: dg.ResourceParam[Any],
    clock: dg.ResourceParam[Any],
) -> None:
    """Land every file, report each as soon as it landed, and fail at the end where one could not be.

    A file's months are reported before it leaves the landing directory, so a run that is killed between the two reports
    them again the next time: a month may be folded once too often, and never once too few.
    """
    from audience_pipeline.ingest.landing import land_pending  # noqa: PLC0415 - only runs need what it imports

    def report(file: "LandedFile") -> None:
        rows = store.landing.rows(file.entry)
        for month in sorted(file.months):
            counts = {"records": rows[month], "rejected in file": file.rejected, "file": file.name}
            context.log_event(landed_event(TABLES[file.table], month, counts))

    with classed_failures():
        files = land_pending(store, settings, clock, report)
    context.add_output_metadata(_summary(files))
    _fail_for([file for file in files if file.error])


@dg.job(description="Lands the files that wait in the landing directory.")
def landing() -> None:
    """Land the files that wait."""
    land()


def _summary(files: Sequence["LandedFile"]) -> dict[str, Any]:
    rows = [dg.TableRecord({"file": file.name, **file.counts}) for file in files if not file.error]
    totals = {name: sum(file.counts[name] for file in files) for name in ("read", "accepted", "rejected")}
    shown = {"landed": dg.MetadataValue.table(rows[:_SHOWN])} if rows else {}
    return {"files": len(files), **totals, **shown}


def _fail_for(files: Sequence["LandedFile"]) -> None:
    """Fail the run for files that could not be landed; a rerun helps once they were mended or taken away."""
    if not files:
        return
    errors = [str(file.error) for file in files]
    rows = [dg.TableRecord({"file": file.name, "error": error}) for file, error in zip(files, errors, strict=True)]
    table = dg.MetadataValue.table(rows[:_SHOWN])
    message = f"{len(files)} files could not be landed; the others were. {' '.join(errors[:3])}"
    raise dg.Failure(message, metadata={"not landed": table}, allow_retries=False)
