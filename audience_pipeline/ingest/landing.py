"""Landing of all files that wait, for whoever runs unattended.

Belongs here: which files, in which order, and what happens around each. Does not belong here: landing one file
(:mod:`.files`), or folding what landed into the tables.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from audience_pipeline.errors import PipelineError
from audience_pipeline.ingest.files import LandedFile, Landing
from audience_pipeline.ingest.retry import retry_waiting
from audience_pipeline.ingest.sources import Source, identify, waiting_paths
from audience_pipeline.settings import Settings
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.tables import SOURCES, TABLES, Table


def land_pending(
    store: TableStore,
    settings: Settings,
    clock: Callable[[], datetime],
    then: Callable[[LandedFile], object] = lambda _: None,
) -> list[LandedFile]:
    """Land all files that wait: users, audiences, platforms, distributions, each table's in the order of their names.

    Then records that waited for others that are there by now are tried again. ``then`` is called with each file that
    landed. Files are moved away at the very end, so that after a crash there is something left to ask for all of it
    again, and it is done again. A file that cannot be landed is in the result with its error, and the others go on.
    """
    landing = Landing(store, settings, clock)
    waiting = [(table, path) for table in SOURCES for path in waiting_paths(settings.landing_dir, table)]
    files = [_land_waiting(landing, table, path, then) for table, path in waiting]
    retried = retry_waiting(landing, then)
    for source, landed in files:
        if source is not None:
            _set_aside(landing, source, landed)
    return [landed for _, landed in files] + retried


def _land_waiting(
    landing: Landing, table: Table, path: Path, then: Callable[[LandedFile], object]
) -> tuple[Source | None, LandedFile]:
    name = f"{table.name}/{path.name}"
    try:
        source = identify(path, name, links=False)
        return source, landing.land(table, source, then)
    except PipelineError as error:
        return None, LandedFile(table.name, name, error=error)


def _set_aside(landing: Landing, source: Source, landed: LandedFile) -> None:
    try:
        landing.set_aside(TABLES[landed.table], source, landed)
    except PipelineError as error:
        landed.error = error
