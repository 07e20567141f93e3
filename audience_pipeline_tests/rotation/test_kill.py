"""Rotations that are killed anywhere while records land and readers open credentials: no secret is ever lost."""

import random
import time
from collections.abc import Callable
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import pytest

from audience_pipeline.errors import RefusedError
from audience_pipeline.security import open_credentials
from audience_pipeline.tables import PLATFORMS
from audience_pipeline_tests.rotation.vault import ANN, BEN, Vault, secret, sent
from audience_pipeline_tests.storage.builders import uuid
from audience_pipeline_tests.storage.writer import PROCESSES, start

PLATFORM_COUNT, ROTATIONS, LONGEST_SECONDS = 40, 120, 0.4
PROCESSES.set_forkserver_preload([__name__])


def rotate(directory: Path) -> None:
    Vault.on_files(directory).rotate()


def land(directory: Path, stop: Connection) -> None:
    """Send platforms again and again, some of them changed, as their owners do."""
    vault, draw = Vault.on_files(directory), random.Random(1)  # noqa: S311 - repeatable
    for turn in count(1):
        if stop.poll():
            return
        chosen = draw.sample(range(1, PLATFORM_COUNT), 5)
        moment = f"2025-06-{1 + turn // 80000:02d}T{turn // 3600 % 24:02d}:{turn // 60 % 60:02d}:{turn % 60:02d}Z"
        vault.ingest([sent(n, ANN if n % 2 else BEN, name=f"turn {turn}", updated_at=moment) for n in chosen])


def deliver(directory: Path, stop: Connection, answer: Connection) -> None:
    """Open each platform's credentials as an attempt to deliver does: once more where the row has changed."""
    vault, opened = Vault.on_files(directory), 0
    while not stop.poll():
        for row in vault.store.read(PLATFORMS).to_pylist():
            try:
                found = _open(vault, row)
            except RefusedError as error:
                (again,) = vault.store.get(PLATFORMS, [row["platform_id"]]).to_pylist()
                if again["credentials"] == row["credentials"]:
                    answer.send(str(error))
                    return
                found = _open(vault, again)
            if found not in {secret(n) for n in range(1, PLATFORM_COUNT + 1)}:
                answer.send(f"{row['platform_id']} opened to something else")
                return
            opened += 1
    answer.send(opened)


def _open(vault: Vault, row: dict[str, str]) -> str:
    owner = {"user_id": row["user_id"], "platform_id": row["platform_id"]}
    opened = open_credentials(msgspec.json.decode(row["credentials"]), **owner, keyset=vault.keyset)
    return opened["api_key"].reveal()


@pytest.mark.prove
def test_rotations_killed_under_load_lose_no_secret(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    vault, draw = Vault.on_files(tmp_path), random.Random(6)  # noqa: S311 - repeatable
    vault.ingest([sent(n, ANN if n % 2 else BEN) for n in range(1, PLATFORM_COUNT + 1)])
    stop, stopped = PROCESSES.Pipe()
    stop_landing, landing_stopped = PROCESSES.Pipe()
    answers, answer = PROCESSES.Pipe()
    reader, writer = start(deliver, tmp_path, stopped, answer), start(land, tmp_path, landing_stopped)
    kills = sum(killed(tmp_path, draw.uniform(0, LONGEST_SECONDS)) for _ in range(ROTATIONS))
    assert not answers.poll(), answers.recv()
    assert reader.is_alive()
    assert writer.is_alive()
    rotated = vault.rotate()
    stop_landing.send("stop")
    stop.send("stop")
    assert answers.poll(60)
    opened = answers.recv()
    assert isinstance(opened, int), opened
    writer.join(60)
    record_property("kills", kills)
    record_property("opened", opened)
    record_property("keys", len(vault.keyset.keys))
    assert kills >= ROTATIONS / 2
    assert vault.keys() == {rotated.key}
    assert {key for key, _ in vault.opened()} == {uuid(n) for n in range(1, PLATFORM_COUNT + 1)}
    assert (rotated.left, vault.counted().unopened) == ({}, [])
    assert [finding for finding in vault.store.verify() if not finding.harmless] == []


def killed(directory: Path, seconds: float) -> bool:
    process = start(rotate, directory)
    process.join(seconds)
    alive = bool(process.is_alive())
    process.kill()
    process.join()
    time.sleep(0.01)
    return alive
