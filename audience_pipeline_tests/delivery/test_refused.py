"""A refused update of an audience holds what would send the version before it."""

import sqlite3
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest

from audience_pipeline.delivery.engine import Engine
from audience_pipeline.delivery.refused import refused_updates
from audience_pipeline.ingest.files import Landing
from audience_pipeline.ingest.quarantine import Quarantine
from audience_pipeline.ingest.run import ingest_stream
from audience_pipeline.settings import Settings
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.tables import AUDIENCES, USERS
from audience_pipeline_tests.delivery.world import Clock, approve, details, fill, run, worker
from audience_pipeline_tests.sandbox_process import Sandbox
from audience_pipeline_tests.storage.builders import put, user, uuid

GOOD: dict[str, Any] = {
    "audience_id": uuid(1),
    "user_id": "user123",
    "name": "audience 1",
    "created_at": "2025-05-03T10:20:30.456Z",
    "updated_at": "2025-06-03T00:00:00Z",
    "status": "active",
    "data_type": "first_party",
    "segments": [
        {"segment_id": "s1", "name": "Coast", "size": 600},
        {"segment_id": "s2", "name": "Hills", "size": 400},
    ],
}
BAD = {**GOOD, "status": "launched"}


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    return {"landing_dir": tmp_path / "landing", "quarantine_dir": tmp_path / "quarantine"}


def land(store: TableStore, settings: dict[str, Any], record: dict[str, Any]) -> int:
    landing = Landing(store, Settings(data_dir=Path("data"), **settings), lambda: datetime(2025, 7, 1, 12, tzinfo=UTC))
    return ingest_stream(landing, AUDIENCES, BytesIO(msgspec.json.encode(record) + b"\n")).rejected


def test_it_is_held_until_a_newer_version_is_stored(
    parquet: TableStore, sandbox: Sandbox, clock: Clock, settings: dict[str, Any]
) -> None:
    put(fill(parquet), USERS, user())
    with worker(parquet, sandbox.url, clock, **settings) as engine:
        assert land(parquet, settings, BAD) == 1
        approve(parquet)
        note = held_note(engine)
        digest = Quarantine(settings["quarantine_dir"]).entries("audiences")[0].digest
        assert note.startswith("audience_refused: ")
        assert note.endswith(f"`audience-pipeline quarantine show {digest[:12]}`")
        assert details(parquet)["hold"] == "audience_refused"
        assert land(parquet, settings, {**GOOD, "updated_at": "2025-06-04T00:00:00Z"}) == 0
        approve(parquet)
        assert run(engine)[uuid(1)].outcome == "processing"


def held_note(engine: Engine) -> str:
    return run(engine)[uuid(1)].note


@pytest.mark.parametrize(
    ("version", "holds"),
    [("2025-06-03T00:00:00Z", True), ("2025-01-01T00:00:00Z", False), ("yesterday", True), (17, True), (None, True)],
)
def test_an_update_is_newer_by_its_own_time_or_by_when_it_was_refused(
    parquet: TableStore,
    settings: dict[str, Any],
    version: object,
    holds: bool,
) -> None:
    put(fill(parquet), USERS, user())
    land(parquet, settings, {**BAD, "updated_at": version})
    stored = parquet.read(AUDIENCES).to_pylist()
    assert (uuid(1) in refused_updates(Quarantine(settings["quarantine_dir"]), stored)) is holds


def test_a_quarantine_of_an_earlier_release_is_brought_up_to_date(
    parquet: TableStore, settings: dict[str, Any]
) -> None:
    put(fill(parquet), USERS, user())
    land(parquet, settings, BAD)
    quarantine = Quarantine(settings["quarantine_dir"])
    with sqlite3.connect(quarantine.path) as db:
        db.execute("DROP INDEX by_key")
        for name in ("row_key", "version"):
            db.execute(f"ALTER TABLE entries DROP COLUMN {name}")
    stored = parquet.read(AUDIENCES).to_pylist()
    assert refused_updates(quarantine, stored) == {}
    land(parquet, settings, {**BAD, "audience_id": uuid(2)})
    assert list(refused_updates(quarantine, stored)) == [uuid(1)]
