"""Short ways to run what the tests look at."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import dagster as dg
import pyarrow as pa

from audience_pipeline import open_store
from audience_pipeline.definitions import build_defs
from audience_pipeline.partitions import RANGE_END, RANGE_START, monthly
from audience_pipeline.resources import resources_for
from audience_pipeline.settings import Settings
from audience_pipeline.tables import LANDED, POSITION, Table
from audience_pipeline.tables.arrow import arrow_schema
from audience_pipeline.tables.landed import LINES_PER_FILE
from audience_pipeline_tests.storage.builders import NOW, Row

MONTHS = monthly("2024-01")


def settings_in(directory: Path, *, keyset: Path | None = None) -> Settings:
    """Return settings that keep everything below ``directory``, the ``keyset`` excepted where it is given."""
    return Settings(
        data_dir=directory / "data",
        landing_dir=directory / "landing",
        quarantine_dir=directory / "quarantine",
        keyset=keyset or directory / "keyset.json",
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


def land(settings: Settings, table: Table, *rows: Row) -> frozenset[int]:
    """Put accepted rows into the landing log as one file, as landing does; return the months touched."""
    with open_store(settings) as store:
        digest = hashlib.sha256(repr(rows).encode()).hexdigest()
        entry = store.landing.open_file(table, digest, f"{digest[:8]}.ndjson")
        came = {"landed_at": NOW, "landed_file": entry.name, "landed_digest": digest}
        positions = [{POSITION: entry.number * LINES_PER_FILE + line} for line, _ in enumerate(rows)]
        landed = [row | came | position for row, position in zip(rows, positions, strict=True)]
        store.landing.stage(entry, pa.Table.from_pylist(landed, schema=arrow_schema(LANDED[table.name])))
        return store.landing.finish(entry, {})


def fold(settings: Settings, table: Table, *, months: str | tuple[str, str] | None = None) -> dg.ExecuteInProcessResult:
    """Materialize the asset of a table, with its checks: one month, a range in one run, or the whole table."""
    tags = {RANGE_START: months[0], RANGE_END: months[1]} if isinstance(months, tuple) else {}
    job = build_defs(settings).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        partition_key=months if isinstance(months, str) else None,
        tags=tags,
        asset_selection=[dg.AssetKey(table.name)],
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
