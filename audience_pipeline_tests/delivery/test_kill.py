"""Workers of the command line, killed at random moments while the platform has every fault there is."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from audience_pipeline_tests.delivery.rehearsal import FAULTS, Rehearsal
from audience_pipeline_tests.sandbox_process import Sandbox

KILLS, PATIENCE_SECONDS = 40, 600


@pytest.mark.prove
def test_killed_workers_and_a_faulty_platform_end_with_each_sent_once(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    rehearsal = Rehearsal(tmp_path, 200)
    end = time.monotonic() + PATIENCE_SECONDS
    with Sandbox(tmp_path / "sandbox.sqlite") as sandbox:
        sandbox.faults(*FAULTS)
        while not rehearsal.ended:
            assert time.monotonic() < end, rehearsal.statuses()
            workers = [rehearsal.worker(sandbox) for _ in range(2)]
            for process in workers:
                rehearsal.kill_after(process, 2.2 if rehearsal.kills < KILLS else 60.0)
            rehearsal.lift_pauses()
        outcomes = rehearsal.prove(sandbox)
    assert sum(outcomes.values()) == 200
    assert outcomes["delivered"] > 100
    for name, count in {"kills": rehearsal.kills, **outcomes}.items():
        record_property(name, count)
