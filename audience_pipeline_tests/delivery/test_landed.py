"""What lands about a distribution: an approval nobody gave is none, and replays change nothing, sent or not."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest

from audience_pipeline.delivery.engine import Engine
from audience_pipeline.ingest.files import Landing
from audience_pipeline.ingest.run import IngestReport, ingest_stream
from audience_pipeline.settings import Settings
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.tables import DISTRIBUTIONS, USERS
from audience_pipeline_tests.delivery.world import Clock, approve, details, run, status
from audience_pipeline_tests.sandbox_process import Sandbox
from audience_pipeline_tests.storage.builders import one, put, user, uuid

RECORD: dict[str, Any] = {
    "distribution_id": uuid(7),
    "user_id": "user123",
    "audience_id": uuid(1),
    "platform_id": uuid(1),
    "created_at": "2025-05-03T10:20:30.456Z",
    "status": "scheduled",
    "distribution_type": "initial",
    "segments_distributed": ["s1", "s2"],
    "metadata": {"campaign_name": "spring", "approval_status": "approved", "approved_by": "nobody"},
}


@pytest.fixture
def landing(engine: Engine, tmp_path: Path) -> Landing:
    put(engine.store, USERS, user())
    settings = Settings(landing_dir=tmp_path / "landing", quarantine_dir=tmp_path / "quarantine")
    return Landing(engine.store, settings, lambda: datetime(2025, 7, 1, 12, tzinfo=UTC))


def land(landing: Landing, **changes: object) -> IngestReport:
    return ingest_stream(landing, DISTRIBUTIONS, BytesIO(msgspec.json.encode({**RECORD, **changes}) + b"\n"))


def row(store: TableStore) -> dict[str, Any]:
    return one(store, DISTRIBUTIONS, 7)


def test_a_landed_approval_is_none_and_replays_change_nothing(
    engine: Engine, landing: Landing, sandbox: Sandbox, clock: Clock, subtests: pytest.Subtests
) -> None:
    store = engine.store
    with subtests.test("what lands as approved waits for an approval"):
        assert land(landing).inserted == 1
        assert run(engine)[uuid(7)].outcome == "held"
        assert details(store, 7)["hold"] == "approval_pending"
        assert sandbox.audiences() == []
    with subtests.test("a replay after the approval changes nothing"):
        approve(store, 7)
        approved = row(store)
        assert land(landing, executed_at=None).unchanged == 1
        assert row(store) == approved
    with subtests.test("nor does one after the delivery"):
        run(engine)
        clock.forward(minutes=1)
        run(engine)
        delivered = row(store)
        assert delivered["status"] == "completed"
        assert land(landing, scheduled_at=None).unchanged == 1
        assert row(store) == delivered
        assert [each["requests"] for each in sandbox.audiences()] == [1]
    with subtests.test("and other content is refused by then"):
        assert land(landing, segments_distributed=["s1"]).rejected == 1
        assert (status(store, 7), row(store)) == ("completed", delivered)
