"""Short ways to run what the tests look at."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import dagster as dg

from audience_pipeline.partitions import RANGE_END, RANGE_START, monthly
from audience_pipeline.resources import resources_for
from audience_pipeline.settings import Settings

MONTHS = monthly("2024-01")


def settings_in(directory: Path) -> Settings:
    """Return settings that keep everything below ``directory``."""
    return Settings(
        data_dir=directory / "data",
        landing_dir=directory / "landing",
        quarantine_dir=directory / "quarantine",
        keyset=directory / "keyset.json",
    )


def materialize(
    settings: Settings,
    assets: Sequence[dg.AssetsDefinition | dg.AssetSpec],
    *,
    months: str | tuple[str, str] | None = None,
    selection: Sequence[str] | None = None,
    raise_on_error: bool = True,
) -> dg.ExecuteInProcessResult:
    """Materialize assets of a user's own: one month, a range of months in one run, or whole tables."""
    tags = {RANGE_START: months[0], RANGE_END: months[1]} if isinstance(months, tuple) else {}
    return dg.materialize(
        list(assets),
        partition_key=months if isinstance(months, str) else None,
        tags=tags,
        selection=selection and list(selection),
        resources=resources_for(settings, {}),
        raise_on_error=raise_on_error,
    )


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> Mapping[str, object]:
    """Return the plain values of what the last materialization of ``asset`` in a run reported."""
    events = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in events[-1].metadata.items()}


def failure(result: dg.ExecuteInProcessResult) -> str:
    """Return what the one failed step of a run says."""
    (event,) = [event for event in result.all_events if event.is_step_failure]
    data = event.step_failure_data
    assert data.user_failure_data is not None
    return str(data.user_failure_data.description)
