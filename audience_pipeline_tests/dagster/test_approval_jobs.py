"""The jobs `approve` and `reject`: they leave the record the command line leaves."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from audience_pipeline import open_store
from audience_pipeline.definitions import build_defs
from audience_pipeline.delivery.approval import Decision, decide
from audience_pipeline.settings import Settings
from audience_pipeline.tables import AUDIENCES, DISTRIBUTION_EVENTS, DISTRIBUTIONS, PLATFORMS
from audience_pipeline_tests.storage.builders import audience, distribution, platform, put, uuid

NOW = datetime(2025, 7, 1, 12, tzinfo=UTC)
WHO = {"by": "anna", "reason": "as agreed"}


def fill(settings: Settings) -> None:
    with open_store(settings) as store:
        put(store, AUDIENCES, audience())
        put(store, PLATFORMS, platform())
        put(store, DISTRIBUTIONS, distribution(1), distribution(2))


def run(settings: Settings, job: str, config: Mapping[str, object]) -> dg.ExecuteInProcessResult:
    found = build_defs(settings, resources={"clock": lambda: NOW}).resolve_job_def(job)
    ops = {f"{job}_distributions": {"config": dict(config)}}
    return found.execute_in_process({"ops": ops}, raise_on_error=False)


def kept(settings: Settings) -> list[list[dict[str, Any]]]:
    with open_store(settings) as store:
        return [store.read(table).to_pylist() for table in (DISTRIBUTIONS, DISTRIBUTION_EVENTS)]


def test_a_decision_in_dagster_leaves_the_record_of_the_command_line(settings: Settings, tmp_path: Path) -> None:
    other = Settings(data_dir=tmp_path / "other")
    for each in (settings, other):
        fill(each)
    assert run(settings, "approve", {"distribution_ids": [uuid(1)], "standing": True, **WHO}).success
    assert run(settings, "reject", {"distribution_ids": [uuid(2)], **WHO}).success
    with open_store(other) as store:
        decide(store, [uuid(1)], Decision("approved", "anna", "as agreed", standing=True), now=NOW, days=30)
        decide(store, [uuid(2)], Decision("rejected", "anna", "as agreed"), now=NOW, days=30)
    assert kept(settings) == kept(other)
    assert len(kept(settings)[1]) == 2


def test_a_run_fails_for_what_could_not_be_decided_and_decides_the_rest(settings: Settings) -> None:
    fill(settings)
    result = run(settings, "approve", {"distribution_ids": [uuid(9), uuid(1)], "by": "anna"})
    (failure,) = result.get_step_failure_events()
    data = failure.step_failure_data
    assert not result.success
    assert data.error is not None
    assert f"{uuid(9)}: there is no such distribution" in data.error.message
    assert len(kept(settings)[1]) == 1


def test_a_rejection_without_a_reason_does_not_start(settings: Settings) -> None:
    job = build_defs(settings).resolve_job_def("reject")
    config = {"ops": {"reject_distributions": {"config": {"distribution_ids": [uuid(1)], "by": "anna"}}}}
    with pytest.raises(dg.DagsterInvalidConfigError, match="reason"):
        dg.validate_run_config(job, config)
