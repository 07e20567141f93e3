"""Killed at any step, an ingest is finished by running it again: nothing lost, nothing twice."""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from audience_pipeline.tables import AUDIENCES
from audience_pipeline_tests.ingest.builders import Record, audience, uuid
from audience_pipeline_tests.ingest.conftest import Place
from audience_pipeline_tests.ingest.crashing import STEPS

ROWS = 30
COMMAND = [sys.executable, "-m", "audience_pipeline_tests.ingest.crashing"]
ROOT = Path(__file__).parents[2]


def records() -> list[Record]:
    """Return records of three months and two users."""
    return [
        audience(number, user_id=f"user{number % 2}", created_at=f"2025-0{1 + number % 3}-05T00:00:00Z")
        for number in range(ROWS)
    ]


def prepare(directory: Path) -> None:
    place = Place(directory)
    everything = records()
    place.drop("audiences", "a.ndjson", [*everything[:20], b"broken one"])
    place.drop("audiences", "b.ndjson", [*everything[20:], b"broken two"])
    place.store.close()


def require_whole(directory: Path) -> None:
    """Require every record once, in the table and in landing, and both broken lines in quarantine."""
    place = Place(directory)
    assert sorted(row["audience_id"] for row in place.rows("audiences")) == [uuid(number) for number in range(ROWS)]
    landed = place.store.landing.read(AUDIENCES).column("audience_id").to_pylist()
    assert sorted(landed) == [uuid(number) for number in range(ROWS)]
    assert [place.kept(entry) for entry in place.entries()] == [b"broken one", b"broken two"]
    assert [finding for finding in place.store.verify() if not finding.harmless] == []
    assert not list((place.settings.landing_dir / "audiences").iterdir())
    assert not list((place.settings.data_dir / "_state" / "staging").glob("landing-*"))
    place.store.close()


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_an_ingest_killed_before_a_step_is_finished_by_the_next(tmp_path: Path, step: str) -> None:
    prepare(tmp_path)
    killed = subprocess.run([*COMMAND, str(tmp_path), step], cwd=ROOT, check=False, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    subprocess.run([*COMMAND, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    require_whole(tmp_path)


@pytest.mark.prove
def test_an_ingest_killed_at_any_instant_is_finished_by_the_next(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    chance, kills = random.Random(7), 0  # noqa: S311 - instants, not secrets
    start = time.monotonic()
    prepare(tmp_path / "timed")
    subprocess.run([*COMMAND, str(tmp_path / "timed")], cwd=ROOT, check=True, capture_output=True)
    length = time.monotonic() - start
    for attempt in range(60):
        directory = tmp_path / str(attempt)
        prepare(directory)
        for _ in range(3):
            process = subprocess.Popen([*COMMAND, str(directory)], cwd=ROOT, stdout=subprocess.PIPE)
            try:
                process.communicate(timeout=length * (0.4 + 0.6 * chance.random()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
        subprocess.run([*COMMAND, str(directory)], cwd=ROOT, check=True, capture_output=True)
        require_whole(directory)
    record_property("kills", kills)
    assert kills > 30
