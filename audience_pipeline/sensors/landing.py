"""What requests runs unattended: files that wait in the landing directory, and landed months that changed.

Belongs here: deciding that a run is due. Does not belong here: what the run does. Both sensors run as soon as the
daemon does, because a location whose files lie untouched until somebody finds a switch is no pipeline; either can be
stopped in the UI, and stays stopped.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from audience_pipeline.ingest.sources import waiting_paths
from audience_pipeline.jobs import landing
from audience_pipeline.settings import Settings
from audience_pipeline.tables import SOURCES

SECONDS_BETWEEN_LOOKS = 15
SECONDS_BEFORE_RETRY = 600
"""How long a file that is still there waits for its second request; twice as long for each after that."""
_SECONDS_A_DAY = 86_400


@dg.sensor(
    job=landing,
    minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests one landing for the files that are new in the landing directory, or due for another try.",
)
def landing_sensor(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings], clock: dg.ResourceParam[Any]
) -> dg.SensorResult | dg.SkipReason:
    """Request one run for all due files together.

    A file is known by name, size, inode and the time it got its name: digesting a large file at each tick would cost
    more than landing it, and the landing knows content anyway. The cursor keeps, of each known file that is still
    there, how often it was requested and when it is due again, so a tick after a restart requests nothing twice. What
    stays because its landing failed is tried again ever more rarely, and soon no more than once a day.
    """
    waiting = {identity: name for name, identity in waiting_files(settings.landing_dir).items()}
    now = int(clock().timestamp())
    known: dict[str, tuple[int, int]] = json.loads(context.cursor or "{}")
    schedule = {identity: known.get(identity, (0, now)) for identity in waiting}
    due = sorted(identity for identity, (_, again) in schedule.items() if again <= now)
    if not due:
        context.update_cursor(json.dumps(schedule))
        return dg.SkipReason(f"{settings.landing_dir}: {_waits(schedule)}.")
    key = _digest("\n".join(f"{identity} {schedule[identity][0]}" for identity in due))
    request = dg.RunRequest(run_key=key, tags={"files": str(len(due)), "first_file": waiting[due[0]][-255:]})
    schedule |= {identity: _requested(schedule[identity][0], now) for identity in due}
    return dg.SensorResult(run_requests=[request], cursor=json.dumps(schedule))


def _requested(times: int, now: int) -> tuple[int, int]:
    """Return how often a file was requested by now, and when it is due again if it stays."""
    return times + 1, now + min(SECONDS_BEFORE_RETRY * 2**times, _SECONDS_A_DAY)


def _waits(schedule: Mapping[str, tuple[int, int]]) -> str:
    if not schedule:
        return "no file waits"
    again = datetime.fromtimestamp(min(again for _, again in schedule.values()), UTC)
    return f"{len(schedule)} files wait, all of them requested before; the next is due again at {again:%Y-%m-%d %H:%MZ}"


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
    """Return the identity of each file that a landing would take, by ``table/name``; one may just be moved away."""
    found = {}
    for table in SOURCES:
        for path in waiting_paths(landing_dir, table):
            name = f"{table.name}/{path.name}"
            with suppress(FileNotFoundError):
                status = path.lstat()
                found[name] = _digest(f"{name}\0{status.st_size}\0{status.st_ino}\0{status.st_ctime_ns}")
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]
