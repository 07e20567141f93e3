"""A rehearsal of the worst: hundreds of distributions, a platform with every fault, and workers that are killed."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from audience_pipeline.delivery.approval import Decision, decide
from audience_pipeline.settings import variable
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTION_EVENTS, DISTRIBUTIONS, PLATFORMS
from audience_pipeline_tests.delivery.world import Clock, active, asked, keep_keyset, reachable, run, worker
from audience_pipeline_tests.sandbox_process import Sandbox
from audience_pipeline_tests.storage.builders import put, sealed, uuid

PLATFORMS_OF = 4
FAULTS: list[dict[str, Any]] = [
    {"kind": "timeout_after_accepting", "probability": 0.1, "seconds": 2.0},
    {"kind": "reset_before_accepting", "probability": 0.1},
    {"kind": "partial_success", "probability": 0.1},
    {"kind": "denied", "probability": 0.05},
    {"kind": "unknown_size", "probability": 0.1},
    {"kind": "rate_limited", "probability": 0.05, "retry_after": 0.5},
    {"kind": "server_error", "probability": 0.1},
    {"kind": "errors_in_success", "probability": 0.02},
    {"kind": "slow", "probability": 0.02, "seconds": 0.5},
    {"kind": "unauthorized", "probability": 0.005},
]
HURRIED = {
    "lease_seconds": "6",
    "platform_timeout_seconds": "1",
    "retry_seconds": "0.2",
    "poll_seconds": "0.2",
    "hold_seconds": "1",
    "max_attempts": "30",
}


@dataclass
class Rehearsal:
    """An installation of its own, with distributions that are due and approved."""

    directory: Path
    count: int
    seed: int = 1
    kills: int = 0
    _draw: random.Random = field(init=False)

    def __post_init__(self) -> None:
        """Store everything."""
        self._draw = random.Random(self.seed)  # noqa: S311 - for repeatable tests
        keep_keyset(self.directory / "keys" / "keyset.json")
        now = datetime.now(UTC)
        with self.store() as store:
            put(store, AUDIENCES, active())
            put(store, PLATFORMS, *(reachable(number) for number in range(1, PLATFORMS_OF + 1)))
            rows = (asked(n, platform_id=uuid(n % PLATFORMS_OF + 1)) for n in range(1, self.count + 1))
            put(store, DISTRIBUTIONS, *rows)
            decide(store, self.keys, Decision("approved", "anna"), now=now, days=30)

    @property
    def keys(self) -> list[str]:
        """The distributions."""
        return [uuid(number) for number in range(1, self.count + 1)]

    @contextmanager
    def store(self) -> Iterator[ParquetStore]:
        with ParquetStore(self.directory / "data") as store:
            yield store

    def environment(self, sandbox: Sandbox) -> Mapping[str, str]:
        """Return the environment of a worker that is in a hurry."""
        places = {name: str(self.directory / name) for name in ("data", "landing", "quarantine")}
        given = {f"{name}_dir": path for name, path in places.items()} | HURRIED
        given |= {"keyset": str(self.directory / "keys" / "keyset.json"), "sandbox_url": sandbox.url}
        return os.environ | {variable(name): value for name, value in given.items()}

    def worker(self, sandbox: Sandbox) -> "subprocess.Popen[bytes]":
        """Start a delivery from the command line."""
        command = [sys.executable, "-m", "audience_pipeline", "deliver"]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, env=self.environment(sandbox), stdout=quiet, stderr=quiet)

    def kill_after(self, process: "subprocess.Popen[bytes]", longest: float) -> None:
        """Kill a worker at a random moment, unless it ends before."""
        try:
            process.wait(self._draw.uniform(0.8, longest))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self.kills += 1

    def lift_pauses(self) -> None:
        """Land platforms that are paused with another key, as an operator would."""
        with self.store() as store:
            for row in store.read(PLATFORMS).to_pylist():
                if row["sync_status"] == "failed":
                    fresh = {**row, "updated_at": row["updated_at"] + timedelta(seconds=1)}
                    put(store, PLATFORMS, fresh | {"credentials": sealed(row, f"key {time.monotonic()}")})

    def _look_once_more(self, store: ParquetStore, sandbox: Sandbox) -> None:
        later = Clock(datetime.now(UTC) + timedelta(hours=1))
        with worker(store, sandbox.url, later) as engine:
            run(engine)

    def statuses(self) -> Counter[str]:
        """Return how many distributions there are of each status."""
        with self.store() as store:
            return Counter(store.read(DISTRIBUTIONS).column("status").to_pylist())

    @property
    def ended(self) -> bool:
        """Whether every distribution has ended."""
        return set(self.statuses()) <= {"completed", "failed"}

    def prove(self, sandbox: Sandbox) -> Counter[str]:
        """Hold what the platform has against what is on record; return how each distribution ended, and why.

        The last look at each, an hour later, completes the journal where a worker was killed before it could.
        """
        with self.store() as store:
            self._look_once_more(store, sandbox)
            assert store.due(datetime.now(UTC) + timedelta(days=900), limit=1) == []
            rows = {row["distribution_id"]: row for row in store.read(DISTRIBUTIONS).to_pylist()}
            events = store.read(DISTRIBUTION_EVENTS).to_pylist()
        effective = Counter(each["idempotency_key"] for each in sandbox.audiences())
        assert set(effective.values()) <= {1}
        told = {(each["distribution_id"], each["to_status"]) for each in events}
        outcomes: Counter[str] = Counter()
        for key, row in rows.items():
            details = msgspec.json.decode(row["error_details"] or "{}")
            sent = [name for name in effective if name.startswith(key)]
            if row["status"] == "completed":
                assert sent == [f"{key}.0"]
                outcomes[msgspec.json.decode(row["match_results"])["outcome"]] += 1
            else:
                assert details["error_message"], key
                outcomes[details["error_code"]] += 1
            assert (key, row["status"]) in told, (key, row)
        return outcomes
