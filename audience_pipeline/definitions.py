"""The code location: everything Dagster knows of this project, put together from the settings.

Belongs here: assembly. Does not belong here: any single asset, check, job or resource. Importing this module reads the
settings and nothing else: no file, no database, and none of the libraries that only runs need.
"""

from collections.abc import Mapping

import dagster as dg

from audience_pipeline.assets.archive import archive_asset, overdue_check
from audience_pipeline.assets.core import core_asset
from audience_pipeline.assets.landed import landed_asset
from audience_pipeline.assets.match_rates import match_rates_asset
from audience_pipeline.checks import checks_of
from audience_pipeline.jobs import approve, deliver, follow, landing, refresh, reject, retry, withdraw
from audience_pipeline.partitions import monthly
from audience_pipeline.policies import with_policies
from audience_pipeline.resources import resources_for
from audience_pipeline.schedules import archive, archive_schedule, refresh_schedule
from audience_pipeline.sensors import automation_sensor, due_sensor, follow_sensor, landing_sensor
from audience_pipeline.settings import Settings, load_settings
from audience_pipeline.tables import SOURCES


def build_defs(settings: Settings, *, resources: Mapping[str, object] | None = None) -> dg.Definitions:
    """Return the definitions for ``settings``.

    ``resources`` replaces resources by name (`settings`, `clock`, `store`, `platforms`, `io_manager`) and adds others:
    a test gives a clock that stands still, a project that merges its own assets gives what those need.
    """
    months = monthly(settings.first_month)
    assets = [asset for table in SOURCES for asset in (landed_asset(table, months), core_asset(table, months))]
    return dg.Definitions(
        assets=[*with_policies([*assets, archive_asset()], settings), match_rates_asset(settings, months)],
        asset_checks=[*(checks_of(table) for table in SOURCES), overdue_check(settings)],
        jobs=[landing, approve, reject, deliver, follow, retry, withdraw, refresh, archive],
        schedules=[refresh_schedule, archive_schedule(settings)],
        sensors=[landing_sensor, automation_sensor(), due_sensor, follow_sensor],
        resources=resources_for(settings, resources or {}),
        # A run is two small steps: a process for each would take ten times as long as the work.
        executor=dg.in_process_executor,
    )


defs = build_defs(load_settings())
