"""What assets, checks, jobs and sensors are handed: the settings, the clock, the store, the platforms.

Belongs here: making each of them at the start of a run and releasing it at the end. Does not belong here: any use of
them. A test replaces one by giving `build_defs` its own under the same name, a plain object or a Dagster resource.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

import dagster as dg

from audience_pipeline.io_managers import BigQueryIOManager, ParquetIOManager
from audience_pipeline.settings import Settings
from audience_pipeline.storage import open_store

if TYPE_CHECKING:
    from audience_pipeline.delivery.connectors.registry import Connectors
    from audience_pipeline.storage.contract import TableStore

Clock: TypeAlias = Callable[[], datetime]
_IO_MANAGERS = {"parquet": ParquetIOManager, "bigquery": BigQueryIOManager}


def now() -> datetime:
    """Return the present, aware, in UTC."""
    return datetime.now(UTC)


@dg.resource(required_resource_keys={"settings"}, description="The configured store, open while a run lasts.")
@contextmanager
def store(context: dg.InitResourceContext) -> Iterator["TableStore"]:
    """Open the store the settings name, with a catalog of its files for analysts; close it at the end of the run."""
    from audience_pipeline.queries.catalog import ensure_catalog  # noqa: PLC0415 - DuckDB is only needed by runs

    settings: Settings = context.resources.settings
    with open_store(settings) as opened:
        if settings.backend == "parquet":
            ensure_catalog(settings.data_dir.absolute())
        yield opened


@dg.resource(required_resource_keys={"settings"}, description="The connectors to platforms, while a run lasts.")
@contextmanager
def platforms(context: dg.InitResourceContext) -> Iterator["Connectors"]:
    """Make the connectors; close their connections at the end of the run."""
    from audience_pipeline.delivery.connectors.registry import Connectors  # noqa: PLC0415 - only runs need an HTTP client

    with Connectors(context.resources.settings) as connectors:
        yield connectors


def resources_for(settings: Settings, replaced: Mapping[str, object]) -> dict[str, object]:
    """Return all resources by name; ``replaced`` takes the place of those it names, and adds others."""
    basic = {"settings": settings, "clock": now, "store": store, "platforms": platforms, **replaced}
    parts = {name: _definition(basic[name]) for name in ("settings", "clock", "store")}
    manager = _IO_MANAGERS[settings.backend](**parts)
    return {"io_manager": manager, **basic, **parts}


def _definition(resource: object) -> dg.ResourceDefinition:
    """Wrap a plain object, so that it can be part of another resource."""
    if isinstance(resource, dg.ResourceDefinition):
        return resource
    return dg.ResourceDefinition.hardcoded_resource(resource)
