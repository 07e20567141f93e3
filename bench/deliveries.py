"""Deliveries: the look-up of what is due, what the engine adds to a sending, and how many it sends a second."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import polars as pl
import pyarrow as pa

from audience_pipeline.delivery.connectors.contract import OpenedCredentials, Prepared, Submission
from audience_pipeline.delivery.connectors.registry import Connectors
from audience_pipeline.delivery.connectors.sandbox import LIMITS, SandboxConnector
from audience_pipeline.delivery.connectors.transport import Transport
from audience_pipeline.delivery.content import Content
from audience_pipeline.delivery.delivering import deliver
from audience_pipeline.delivery.engine import Engine
from audience_pipeline.security import seal_platform
from audience_pipeline.security.keyset import generate_keyset
from audience_pipeline.settings import Settings
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, PLATFORMS, Table
from audience_pipeline.tables.arrow import arrow_schema
from bench import rows
from bench.measuring import Result, Times, shown, timed
from bench.workbench import Workbench

_KEYSET = generate_keyset()
_DUE, _USERS = 1_000, 10
_CREATED = datetime(2025, 5, 3)  # noqa: DTZ001 - stored times are UTC without a zone
_SEGMENTS = json.dumps([{"segment_id": f"s{n}", "name": f"Segment {n}", "size": 1000 + n} for n in range(10)])


def agenda(bench: Workbench) -> list[Result]:
    """Look up 100 due distributions among a million that ended."""
    every = rows.LARGE.rows // 100
    scheduled = pl.int_range(pl.len()) % every == 0
    frame = pl.DataFrame(pl.from_arrow(rows.distributions(rows.LARGE)))
    ended = frame.head(rows.LARGE.rows).with_columns(
        pl.when(scheduled).then(pl.lit("scheduled")).otherwise(pl.lit("completed")).alias("status"),
        pl.when(scheduled).then(None).otherwise("created_at").alias("executed_at"),
    )
    with ParquetStore(bench.directory / "ended") as store:
        store.upsert(DISTRIBUTIONS, ended.select(DISTRIBUTIONS.column_names).to_arrow())
        now = datetime.now(UTC) + timedelta(days=900)
        assert len(store.due(now, limit=1000)) == 100
        found = Times(tuple(timed(lambda: store.due(now, limit=1000)) for _ in range(21)))
    what = "look-up of 100 due among 1,000,000 distributions"
    return [Result(what, str(found), "", shown(found.median), "≤ 1 s", found.median <= 1, "a tick of the due sensor")]


def delivering(_: Workbench) -> list[Result]:
    """Send a thousand distributions to a platform that answers at once, and to the sandbox."""
    overhead = _seconds(None) / _DUE
    what = "claim and record of a distribution, in batches of 100, synced"
    note = "ten users' months; to a platform in the same process that answers at once"
    found = Result(what, shown(overhead), "", shown(overhead), "≤ 5 ms", overhead <= 0.005, note)
    with _sandbox() as url:
        rate = _DUE / _seconds(url)
    what = "1,000 due distributions delivered to the sandbox"
    note = "over HTTP on this machine, which both share; no rate limit"
    return [found, Result(what, "", "", f"{rate:.0f} a second", "≥ 100 a second", rate >= 100, note)]


class _Instant:
    """A platform that takes everything at once."""

    limits = LIMITS

    def of_type(self, _: str) -> "_Instant":
        return self

    def prepare(self, content: Content, *, sizes: Mapping[str, int], **more: Any) -> Prepared:  # noqa: ANN401
        with Transport(1) as transport:
            return SandboxConnector("instant", "http://127.0.0.1", transport).prepare(content, sizes=sizes, **more)

    def submit(self, _: OpenedCredentials, payload: bytes, key: str) -> Submission:
        assert payload
        return Submission(key, None, ("s0",))


def _seconds(url: str | None) -> float:
    """Return how long a thousand distributions take, from due to taken."""
    with TemporaryDirectory() as directory, ParquetStore(Path(directory) / "data") as store:
        _fill(store)
        settings = Settings(sandbox_url=url, require_approval=False, quarantine_dir=Path(directory) / "quarantine")
        with Connectors(settings) as connectors:
            platforms: Any = connectors if url else _Instant()
            engine = Engine(store, settings, platforms, lambda: _KEYSET, lambda: datetime.now(UTC), "bench", None)
            due = store.due(engine.clock(), limit=_DUE)
            seconds = timed(lambda: list(deliver(engine, due)))
        taken = pl.DataFrame(pl.from_arrow(store.read(DISTRIBUTIONS)))
        assert taken["executed_at"].null_count() == 0
        assert set(taken["status"]) == {"processing"}
    return seconds


def _fill(store: ParquetStore) -> None:
    shared = {"created_at": _CREATED, "updated_at": _CREATED, "status": "active"}
    users = [{"user_id": f"user-{number}", "id": _uuid(number)} for number in range(_USERS)]
    audiences = [
        {
            **shared,
            "audience_id": each["id"],
            "user_id": each["user_id"],
            "name": "a",
            "data_type": "first_party",
            "segments": _SEGMENTS,
        }
        for each in users
    ]
    platforms = [
        {**shared, "platform_id": each["id"], "user_id": each["user_id"], "platform_type": "sandbox", "name": "p"}
        for each in users
    ]
    for row in platforms:
        credentials = {"api_key": "key", "account_id": row["platform_id"]}
        row["credentials"] = json.dumps(seal_platform({**row, "credentials": credentials}, _KEYSET)["credentials"])
    due = [
        {
            "distribution_id": _uuid(1000 + number),
            "user_id": users[number % _USERS]["user_id"],
            "audience_id": users[number % _USERS]["id"],
            "platform_id": users[number % _USERS]["id"],
            "created_at": _CREATED,
            "status": "scheduled",
            "segments_distributed": [f"s{n}" for n in range(10)],
        }
        for number in range(_DUE)
    ]
    for table, values in ((AUDIENCES, audiences), (PLATFORMS, platforms), (DISTRIBUTIONS, due)):
        assert not store.upsert(table, _arrow(table, values)).refused


def _arrow(table: Table, values: list[dict[str, Any]]) -> pa.Table:
    schema = pa.schema([field for field in arrow_schema(table) if field.name in values[0]])
    return pa.Table.from_pylist(values, schema=schema)


def _uuid(number: int) -> str:
    return str(UUID(int=number, version=4))


@contextmanager
def _sandbox() -> Iterator[str]:
    with TemporaryDirectory() as directory:
        arguments = ["sandbox", "--port", "0", "--state", str(Path(directory) / "state.sqlite")]
        command = [sys.executable, "-m", "audience_pipeline", *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            try:
                yield json.loads(process.stdout.readline())["url"]
            finally:
                process.terminate()
