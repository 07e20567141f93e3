"""Jobs that Dagster runs beside materializing assets: landing, people's decisions, deliveries."""

from audience_pipeline.jobs.approval import approve, reject
from audience_pipeline.jobs.delivery import deliver, follow, retry, withdraw
from audience_pipeline.jobs.landing import landing
from audience_pipeline.jobs.refresh import refresh

__all__ = ["approve", "deliver", "follow", "landing", "refresh", "reject", "retry", "withdraw"]
