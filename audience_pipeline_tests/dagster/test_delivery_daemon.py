"""Real daemons, killed, beside a command line: what is due on a platform with every fault is sent once."""

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from audience_pipeline.settings import load_settings
from audience_pipeline_tests.dagster.test_daemon import ROOT, dagster_dev
from audience_pipeline_tests.delivery.rehearsal import FAULTS, Rehearsal
from audience_pipeline_tests.sandbox_process import Sandbox

KILLS, PATIENCE_SECONDS = 3, 900


@pytest.mark.prove
def test_killed_daemons_and_a_command_line_send_each_of_200_once(
    tmp_path: Path, record_property: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearsal, draw = Rehearsal(tmp_path, 200, seed=7), random.Random(7)  # noqa: S311 - for repeatable tests
    end = time.monotonic() + PATIENCE_SECONDS
    daemons = 0
    with Sandbox(tmp_path / "sandbox.sqlite") as sandbox:
        sandbox.faults(*FAULTS)
        for name, value in rehearsal.environment(sandbox).items():
            monkeypatch.setenv(name, value)
        settings = load_settings()
        while not rehearsal.ended:
            assert time.monotonic() < end, rehearsal.statuses()
            homes = [home(tmp_path, f"home{number}") for number in range(2)]
            with dagster_dev(settings, homes[0]), dagster_dev(settings, homes[1]):
                until = time.monotonic() + (draw.uniform(20, 60) if daemons < KILLS else 120)
                while time.monotonic() < until and not rehearsal.ended:
                    rehearsal.lift_pauses()
                    if draw.random() < 0.3:
                        rehearsal.kill_after(rehearsal.worker(sandbox), 5.0)
                    time.sleep(2)
            daemons += 2
        outcomes = rehearsal.prove(sandbox)
    assert sum(outcomes.values()) == 200
    for name, count in {"daemons killed": daemons, "workers killed": rehearsal.kills, **outcomes}.items():
        record_property(name, count)


def home(directory: Path, name: str) -> Path:
    """Return a Dagster home; each daemon has its own, as on another machine."""
    made = directory / name
    if not made.exists():
        made.mkdir()
        shutil.copyfile(ROOT / "dagster.yaml", made / "dagster.yaml")
    return made
