"""Refresh: what a platform has of an audience is sent anew each day, week or month, by itself.

Belongs here: which refreshes are due, and asking for them. Does not belong here: approving or sending one.

A refresh is a record like any other, landed and folded: quotas and references hold for it, and a lost table is rebuilt
with it. Its id follows from audience, platform, frequency and period, and so does the rest of it but what the last
distribution says. So it is asked for once, whoever asks how often; and what was missed while nobody did, once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from uuid import UUID, uuid5

import msgspec

from audience_pipeline.delivery.cases import last_completed
from audience_pipeline.delivery.distribution import Distribution, Row, by_key
from audience_pipeline.delivery.periods import Period, period_of
from audience_pipeline.ingest.files import Landing
from audience_pipeline.ingest.moments import iso
from audience_pipeline.ingest.run import IngestReport, ingest_stream
from audience_pipeline.settings import Settings
from audience_pipeline.storage.contract import Pair, Predicate, Query, TableStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, PLATFORMS
from audience_pipeline.tables.shapes import PlatformSettings

_NAMESPACE = UUID("b52b8d34-40c9-5d0f-9c3e-8a1f6c1d7e02")
_PLATFORMS_AT_ONCE = 500
_CARRIED = ("campaign_name", "cost_estimate")
FILE_NAME = "refresh"


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh that is due; ``why_not`` says why it is not asked for, where it is not."""

    distribution_id: str
    user_id: str
    audience_id: str
    platform_id: str
    period: str
    created_at: datetime
    last: str
    segments: tuple[str, ...]
    metadata: dict[str, object]
    why_not: str | None = None

    @property
    def record(self) -> bytes:
        """The record that asks for it, as the application would."""
        return msgspec.json.encode(
            {
                "distribution_id": self.distribution_id,
                "user_id": self.user_id,
                "audience_id": self.audience_id,
                "platform_id": self.platform_id,
                "created_at": iso(self.created_at),
                "status": "scheduled",
                "distribution_type": "refresh",
                "segments_distributed": list(self.segments),
                "metadata": self.metadata,
            }
        )


def due_refreshes(store: TableStore, now: datetime) -> Iterator[Refresh]:
    """Yield the refreshes that are due at ``now``, in UTC, and not asked for yet."""
    active = store.read(PLATFORMS, Query(where=[Predicate("status", "=", "active")])).to_pylist()
    periods = {row["platform_id"]: (row, period) for row in active if (period := _period(row, now))}
    keys = sorted(periods)
    for start in range(0, len(keys), _PLATFORMS_AT_ONCE):
        portion = keys[start : start + _PLATFORMS_AT_ONCE]
        due = [pair for pair in store.pairs(portion) if _is_due(pair, periods[pair.platform_id][1])]
        yield from _new(store, _planned(store, due, periods))


def refresh(store: TableStore, settings: Settings, clock: Callable[[], datetime]) -> tuple[list[Refresh], IngestReport]:
    """Ask for all refreshes that are due; return them, with what became of their records.

    Raises:
        StorageError: they cannot be landed.
    """
    due = list(due_refreshes(store, clock()))
    wanted = [each for each in due if each.why_not is None]
    if not wanted:
        return due, IngestReport(DISTRIBUTIONS.name)
    lines = BytesIO(b"\n".join(each.record for each in wanted) + b"\n")
    return due, ingest_stream(Landing(store, settings, clock), DISTRIBUTIONS, lines, FILE_NAME)


def _period(platform: Row, now: datetime) -> Period | None:
    settings = msgspec.json.decode(platform["settings"] or "{}", type=PlatformSettings)
    if not settings.auto_refresh or settings.refresh_frequency is None:
        return None
    period = period_of(now, settings.refresh_frequency)
    return Period(f"{settings.refresh_frequency} {period.name}", period.start)


def _is_due(pair: Pair, period: Period) -> bool:
    """Return whether the last one is of an earlier period, and none is on its way."""
    return pair.completed_at is not None and pair.completed_at < period.start and not pair.open


def _planned(store: TableStore, due: Sequence[Pair], periods: dict[str, tuple[Row, Period]]) -> Iterator[Refresh]:
    last = last_completed(store, {(pair.audience_id, pair.platform_id) for pair in due})
    audiences = by_key(store, AUDIENCES, (audience for audience, _ in last))
    for (audience_id, platform_id), row in sorted(last.items()):
        audience, period = audiences.get(audience_id), periods[platform_id][1]
        status = audience["status"] if audience else "gone"
        yield _refresh(row, period, None if status == "active" else f"its audience is {status}")


def _refresh(last: Distribution, period: Period, why_not: str | None) -> Refresh:
    audience_id, platform_id = last.pair
    metadata = last.raw("metadata") or {}
    return Refresh(
        distribution_id=str(uuid5(_NAMESPACE, f"{audience_id}\n{platform_id}\n{period.name}")),
        user_id=str(last.row["user_id"]),
        audience_id=audience_id,
        platform_id=platform_id,
        period=period.name,
        created_at=period.start,
        last=last.id,
        segments=tuple(last.row["segments_distributed"] or ()),
        metadata={name: metadata[name] for name in _CARRIED if metadata.get(name) is not None},
        why_not=why_not,
    )


def _new(store: TableStore, planned: Iterable[Refresh]) -> list[Refresh]:
    """Return those that were not asked for in their period."""
    planned = list(planned)
    known = store.placements(DISTRIBUTIONS, [each.distribution_id for each in planned]) if planned else {}
    return [each for each in planned if each.distribution_id not in known]
