"""A small world to deliver from: an audience, a platform, distributions, and an engine with a clock of its own."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from audience_pipeline.delivery.approval import Decided, Decision, decide
from audience_pipeline.delivery.connectors.limits import RateLimits
from audience_pipeline.delivery.connectors.registry import Connectors
from audience_pipeline.delivery.delivering import deliver
from audience_pipeline.delivery.engine import Engine, Report
from audience_pipeline.security.keyset import Keyset, encode_keyset
from audience_pipeline.settings import Settings
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTION_EVENTS, DISTRIBUTIONS, PLATFORMS
from audience_pipeline.tables.distributions import STATUSES
from audience_pipeline_tests.storage.builders import (
    KEYSET,
    Row,
    audience,
    distribution,
    json,
    one,
    platform,
    put,
    sealed,
    uuid,
)

START = datetime(2025, 7, 1, 12, tzinfo=UTC)
SEGMENTS: list[dict[str, Any]] = [
    {"segment_id": "s1", "name": "Coast", "size": 600, "characteristics": {"age": "25-44"}},
    {"segment_id": "s2", "name": "Hills", "size": 400, "prizm_segments": ["04"]},
]


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


def active(number: int = 1, **changes: Any) -> Row:  # noqa: ANN401 - any column's value
    """Return an audience that may be sent, of a thousand members in two segments."""
    return audience(number, **{"status": "active", "segments": json(SEGMENTS), **changes})


def reachable(number: int = 1, **changes: Any) -> Row:  # noqa: ANN401 - any column's value
    """Return a platform with sealed credentials."""
    row = platform(number, **{"settings": json({"default_match_rate": 0.5}), **changes})
    return {**row, "credentials": sealed(row)} | changes


def asked(number: int = 1, **changes: Any) -> Row:  # noqa: ANN401 - any column's value
    """Return a distribution of both segments."""
    return distribution(number, **{"segments_distributed": ["s1", "s2"], **changes})


def fill(store: TableStore, *numbers: int) -> TableStore:
    """Store an audience, a platform, and distributions of one to the other."""
    put(store, AUDIENCES, active())
    put(store, PLATFORMS, reachable())
    put(store, DISTRIBUTIONS, *(asked(number) for number in numbers or (1,)))
    return store


@contextmanager
def worker(store: TableStore, url: str, clock: Clock, **settings: Any) -> Iterator[Engine]:  # noqa: ANN401 - any setting
    """Yield an engine that delivers to a sandbox, without jitter of its own."""
    configured = Settings(sandbox_url=url, platform_timeout_seconds=1, **settings)
    with Connectors(configured) as connectors:
        limits = RateLimits(clock=lambda: clock().timestamp())
        chance = random.Random(1)  # noqa: S311 - for repeatable tests
        yield Engine(store, configured, connectors, keyset, clock, "tester", limits, chance)


def keyset() -> Keyset:
    return KEYSET


def keep_keyset(path: Path) -> None:
    """Put the keyset that the tests' credentials are sealed with where an installation looks for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_keyset(KEYSET))
    path.chmod(0o600)


def run(engine: Engine, *, held: bool = True) -> dict[str, Report]:
    """Deliver all that is due; return the reports by distribution."""
    due = engine.store.due(engine.clock(), limit=10_000, held=held)
    return {report.distribution_id: report for batch in deliver(engine, due) for report in batch}


def approve(store: TableStore, *numbers: int, at: datetime = START, **decision: Any) -> list[Decided]:  # noqa: ANN401
    given = Decision("approved", "anna", **decision)
    return decide(store, [uuid(number) for number in numbers or (1,)], given, now=at, days=30)


def details(store: TableStore, number: int = 1) -> dict[str, Any]:
    return dict(msgspec.json.decode(one(store, DISTRIBUTIONS, number)["error_details"] or "{}"))


def results(store: TableStore, number: int = 1) -> dict[str, Any]:
    return dict(msgspec.json.decode(one(store, DISTRIBUTIONS, number)["match_results"] or "{}"))


def status(store: TableStore, number: int = 1) -> str:
    return str(one(store, DISTRIBUTIONS, number)["status"])


def history(store: TableStore, number: int = 1) -> list[tuple[str, str, str]]:
    """Return from, to and reason of a distribution's events, in their order."""
    rows = [row for row in store.read(DISTRIBUTION_EVENTS).to_pylist() if row["distribution_id"] == uuid(number)]
    return [(row["from_status"], row["to_status"], row["reason"]) for row in sorted(rows, key=_order)]


def _order(row: Row) -> tuple[Any, ...]:
    steps = [STATUSES.index(row[name]) for name in ("from_status", "to_status")]
    return (row["created_at"], row["attempt"], *steps)
