"""What an error means for a rerun: its class decides."""

import dagster as dg
import pytest

from audience_pipeline import policies
from audience_pipeline.errors import ConflictError, PipelineError, RefusedError, StorageError
from audience_pipeline.policies import RETRIES, classed_failures
from audience_pipeline_tests.dagster.runs import failure


class Failing:
    """An asset that fails with one error, and counts how often it was tried."""

    def __init__(self, error: type[PipelineError]) -> None:
        self.tried = 0

        @dg.asset(retry_policy=dg.RetryPolicy(max_retries=RETRIES))
        def failing() -> None:
            self.tried += 1
            with classed_failures():
                subject = "table x"
                raise error(subject, found="one", expected="two", remedy="Do three.")

        self.result = dg.materialize([failing], raise_on_error=False)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "SECONDS_BETWEEN_RETRIES", 0)


def test_a_conflict_is_tried_again() -> None:
    assert Failing(ConflictError).tried == 1 + RETRIES


@pytest.mark.parametrize("error", [RefusedError, StorageError])
def test_any_other_error_waits_for_somebody_to_change_something(error: type[PipelineError]) -> None:
    failing = Failing(error)
    assert failing.tried == 1
    assert failure(failing.result) == "table x: found one, expected two. Do three."
