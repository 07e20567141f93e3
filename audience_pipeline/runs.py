"""Runs of the code location in this process, on record in a Dagster home.

Belongs here: starting a run for a caller who waits for its end, and its outcome in plain values, so that the caller
needs to know nothing of Dagster. Does not belong here: what a run does, or when one is due.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from audience_pipeline.errors import StorageError
from audience_pipeline.jobs import landing
from audience_pipeline.partitions import RANGE_END, RANGE_START, month_key
from audience_pipeline.policies import accepted_betas
from audience_pipeline.tables import SOURCES

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_INSTANCE = "telemetry:\n  enabled: false\n"


@dataclass(frozen=True, slots=True)
class Materialized:
    """One materialization: its asset, its partition where it has one, and its metadata as plain values."""

    asset: str
    partition: str | None
    metadata: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of one asset check."""

    asset: str
    check: str
    passed: bool
    summary: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run that succeeded reported."""

    materialized: tuple[Materialized, ...]
    checks: tuple[Checked, ...]


class Runs:
    """Runs ``defs`` on an instance; see :func:`runs_in`."""

    def __init__(self, defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self._defs, self._instance = defs, instance

    def land(self) -> Outcome:
        """Run the landing job.

        Raises:
            StorageError: the run failed.
        """
        return self._run(landing.name)

    def materialize(self, months: tuple[int, int]) -> Outcome:
        """Materialize and check all tables, in one run over the months ``yyyymm`` from first to last.

        Raises:
            StorageError: the run failed.
        """
        tags = {RANGE_START: month_key(months[0]), RANGE_END: month_key(months[1])}
        return self._run("__ASSET_JOB", [dg.AssetKey(table.name) for table in SOURCES], tags)

    def _run(self, job: str, assets: list[dg.AssetKey] | None = None, tags: dict[str, str] | None = None) -> Outcome:
        with accepted_betas():
            result = self._defs.resolve_job_def(job).execute_in_process(
                run_config=_QUIET, instance=self._instance, raise_on_error=False, asset_selection=assets, tags=tags
            )
        if not result.success:
            run = f"run {result.run_id} of {job}"
            raise StorageError(
                run,
                found=_failure(result),
                expected="a run that succeeds",
                remedy="Look at its log in Dagster's UI.",
            )
        return Outcome(tuple(_materialized(result)), tuple(_checked(result)))


@contextmanager
def runs_in(home: Path, defs: dg.Definitions) -> Iterator[Runs]:
    """Return a way to run ``defs``, recorded in the directory ``home``, which Dagster calls DAGSTER_HOME."""
    # The tables of a new home are made by migrations, each of which would be told.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        (home / "dagster.yaml").write_text(_INSTANCE, encoding="utf-8")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield Runs(defs, instance)


def _materialized(result: dg.ExecuteInProcessResult) -> Iterator[Materialized]:
    for event in result.all_events:
        if event.is_step_materialization:
            found = event.step_materialization_data.materialization
            metadata = {name: value.value for name, value in found.metadata.items()}
            yield Materialized(found.asset_key.to_user_string(), found.partition, metadata)


def _checked(result: dg.ExecuteInProcessResult) -> Iterator[Checked]:
    for found in result.get_asset_check_evaluations():
        yield Checked(found.asset_key.to_user_string(), found.check_name, found.passed, found.description or "")


def _failure(result: dg.ExecuteInProcessResult) -> str:
    """Return what the first failed step says, or what kept the run from its steps."""
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            described = data.user_failure_data.description if data.user_failure_data else None
            return described or _cause(data.error)
        if event.is_resource_init_failure:
            return _cause(event.engine_event_data.error)
    return "a failure outside its steps"


def _cause(error: Any) -> str:  # noqa: ANN401 - Dagster's type for it has no public name
    """Return the first message that is not Dagster's own wrapping."""
    while error is not None and error.cause is not None and error.message.startswith("dagster."):
        error = error.cause
    return str(error.message).strip() if error is not None else "a failure without a message"
