"""Jobs that Dagster runs beside materializing assets: landing, and people's decisions."""

from audience_pipeline.jobs.approval import approve, reject
from audience_pipeline.jobs.landing import landing

__all__ = ["approve", "landing", "reject"]
