"""What runs by the clock: refreshes, and the archive.

Belongs here: when a run is due by the calendar. Does not belong here: what it does. A period's refreshes are asked for
once however often the schedule ticks, so it ticks each hour: after an outage the next hour makes good what was missed.
"""

import dagster as dg

from audience_pipeline.jobs import refresh
from audience_pipeline.settings import Settings
from audience_pipeline.tables import DISTRIBUTIONS_ARCHIVE

_HOUR, _DAY = 60, 24 * 60
_ARCHIVED_AT = 2 * _HOUR + 15
"""Minute of the day, UTC, at which rows are copied to the archive."""
_MARGIN = 15
"""Minutes that copying may take until the run that removes what was copied."""

refresh_schedule = dg.ScheduleDefinition(
    name="refresh_schedule",
    job=refresh,
    cron_schedule="5 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Asks for the refreshes that are due, each hour.",
)

archive = dg.define_asset_job(
    "archive", selection=[DISTRIBUTIONS_ARCHIVE.name], description="Moves distributions that ended long ago."
)


def archive_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Return the schedule of the archive: daily, and once more when the readers of older files are done."""
    minutes = sorted({_ARCHIVED_AT, (_ARCHIVED_AT + settings.reader_grace_minutes + _MARGIN) % _DAY})
    return dg.ScheduleDefinition(
        name="archive_schedule",
        job=archive,
        cron_schedule=[f"{minute % _HOUR} {minute // _HOUR} * * *" for minute in minutes],
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Copies what is old enough to the archive each day, and removes it from the live table later on.",
    )
