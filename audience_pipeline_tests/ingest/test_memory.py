"""Memory stays bounded, whatever the size of the file."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from audience_pipeline.settings import variable
from audience_pipeline_tests.ingest.builders import audience, line, segment

MEGABYTE = 2**20


def write_audiences(path: Path, size: int) -> int:
    """Write about ``size`` bytes of audiences of 200 users and a few months; return their number."""
    segments = [segment(segment_id=f"s{number}", name="n" * 200) for number in range(12)]
    number = 0
    with path.open("wb") as file:
        while file.tell() < size:
            created = f"2025-0{1 + number % 6}-01T00:00:00Z"
            times = {"created_at": created, "updated_at": created}
            file.write(line(audience(number, user_id=f"user{number % 200}", segments=segments, **times)) + b"\n")
            number += 1
    return number


def ingest(path: Path, directory: Path) -> tuple[dict[str, object], float]:
    """Ingest a file in a process of its own; return its answer and the most memory it or a worker held, in MiB."""
    names = {"data_dir": "data", "landing_dir": "landing", "quarantine_dir": "quarantine", "keyset": "keys/keyset.json"}
    places = {variable(name): str(directory / place) for name, place in names.items()}
    command = [sys.executable, "-m", "audience_pipeline", "ingest", "audiences", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **places}) as process:
        assert process.stdout is not None
        answer = json.loads(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return answer, usage.ru_maxrss / 1024


@pytest.mark.prove
def test_a_file_of_120_megabytes_takes_less_than_700(tmp_path: Path) -> None:
    records = write_audiences(tmp_path / "a.ndjson", 120 * MEGABYTE)
    answer, memory = ingest(tmp_path / "a.ndjson", tmp_path)
    assert answer["inserted"] == records
    assert memory < 700


@pytest.mark.prove
def test_a_file_of_a_gigabyte_takes_less_than_one(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    records = write_audiences(tmp_path / "a.ndjson", 1024 * MEGABYTE)
    answer, memory = ingest(tmp_path / "a.ndjson", tmp_path)
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    record_property("MiB", round(memory))
    record_property("records", records)
    assert answer["inserted"] == records
    assert max(memory, workers) < 1024
