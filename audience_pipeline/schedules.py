"""What runs by the clock: refreshes.

Belongs here: when a run is due by the calendar. Does not belong here: what it does. A period's refreshes are asked for
once however often the schedule ticks, so it ticks each hour: after an outage the next hour makes good what was missed.
"""

import dagster as dg

from audience_pipeline.jobs import refresh

refresh_schedule = dg.ScheduleDefinition(
    name="refresh_schedule",
    job=refresh,
    cron_schedule="5 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Asks for the refreshes that are due, each hour.",
)
