"""What requests runs unattended: files that wait in the landing directory, and landed months that changed.

Belongs here: deciding that a run is due. Does not belong here: what the run does. Both sensors run as soon as the
daemon does, because a location whose files lie untouched until somebody finds a switch is no pipeline; either can be
stopped in the UI, and stays stopped.
"""

import hashlib
import json
from pathlib import Path

import dagster as dg

from audience_pipeline.ingest.sources import SUFFIXES
from audience_pipeline.jobs import landing
from audience_pipeline.settings import Settings
from audience_pipeline.tables import SOURCES

SECONDS_BETWEEN_LOOKS = 15


@dg.sensor(
    job=landing,
    minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests one landing for the files that are new in the landing directory.",
)
def landing_sensor(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]
) -> dg.SensorResult | dg.SkipReason:
    """Request one run for all new files together.

    A file is known by name, size, inode and the time it got its name: digesting a large file at each tick would cost
    more than landing it, and the landing knows content anyway. The cursor keeps the known files that are still there
    (a refused or unreadable one stays), so a tick after a restart, or after a failed run, requests nothing twice; they
    are tried again together with the next new file.
    """
    waiting = {identity: name for name, identity in waiting_files(settings.landing_dir).items()}
    known = set(json.loads(context.cursor or "[]"))
    new = sorted(waiting.keys() - known)
    cursor = json.dumps(sorted(waiting))
    if not new:
        context.update_cursor(cursor)
        found = f"{len(waiting)} files wait, all of them requested before" if waiting else "no file waits"
        return dg.SkipReason(f"{settings.landing_dir}: {found}.")
    tags = {"files": str(len(new)), "first_file": waiting[new[0]][-255:]}
    request = dg.RunRequest(run_key=_digest("\n".join(new)), tags=tags)
    return dg.SensorResult(run_requests=[request], cursor=cursor)


def automation_sensor() -> dg.AutomationConditionSensorDefinition:
    """Return the sensor that requests core months whose landed months changed."""
    return dg.AutomationConditionSensorDefinition(
        "automation",
        target=dg.AssetSelection.all(),
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests the months of the tables whose landed months changed.",
    )


def waiting_files(landing_dir: Path) -> dict[str, str]:
    """Return the identity of each file its sender has finished (they write `*.tmp` and rename), by ``table/name``."""
    found = {}
    for table in SOURCES:
        directory = landing_dir / table.name
        for path in sorted(directory.iterdir()) if directory.is_dir() else ():
            if path.name.endswith(SUFFIXES):
                name = f"{table.name}/{path.name}"
                status = path.lstat()
                found[name] = _digest(f"{name}\0{status.st_size}\0{status.st_ino}\0{status.st_ctime_ns}")
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]
