"""Cases: a distribution with all that a decision about it depends on.

Belongs here: reading them for many distributions at once. Does not belong here: deciding anything.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from audience_pipeline.delivery.content import Content, content_of
from audience_pipeline.delivery.distribution import Distribution, Row, by_key
from audience_pipeline.delivery.refused import refused_updates
from audience_pipeline.ingest.quarantine import Quarantine
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, PLATFORMS
from audience_pipeline.tables.shapes import PlatformSettings

PAUSED = "failed"
"""The ``sync_status`` of a platform that did not accept its credentials: nothing is sent to it."""


@dataclass(frozen=True, slots=True)
class Case:
    """One distribution, what it refers to as stored, and the last one of its pair that completed and still counts.

    ``refused`` says which quarantined update of the audience is newer than what is stored.
    """

    distribution: Distribution
    audience: Row | None
    platform: Row | None
    previous: Distribution | None
    refused: str | None = None

    @property
    def content(self) -> Content:
        """What is sent, to whom; of a case whose references are there."""
        return content_of(self.distribution.row, self.audience or {}, self.platform or {})

    @property
    def sizes(self) -> dict[str, int]:
        """Today's sizes of the segments asked for that the audience has."""
        asked = set(self.distribution.row["segments_distributed"] or ())
        segments = msgspec.json.decode((self.audience or {}).get("segments") or "[]")
        return {each["segment_id"]: each["size"] for each in segments if each["segment_id"] in asked}

    @property
    def settings(self) -> PlatformSettings:
        """How the platform is used."""
        return msgspec.json.decode((self.platform or {}).get("settings") or "{}", type=PlatformSettings)


def distributions(store: TableStore, keys: Iterable[str]) -> list[Distribution]:
    """Return live distributions, in the order of ``keys``, those that are there."""
    keys = list(keys)
    rows = by_key(store, DISTRIBUTIONS, keys)
    return [Distribution(rows[key]) for key in keys if key in rows]


def cases_of(store: TableStore, rows: Sequence[Distribution], quarantine: Quarantine | None = None) -> list[Case]:
    """Return the cases of distributions, with what ``quarantine`` has of their audiences."""
    audiences = by_key(store, AUDIENCES, (row.pair[0] for row in rows))
    platforms = by_key(store, PLATFORMS, (row.pair[1] for row in rows))
    last = last_completed(store, {row.pair for row in rows})
    refused = refused_updates(quarantine, audiences.values()) if quarantine else {}
    return [
        Case(row, row.own(audiences, audience), row.own(platforms, platform), last.get(row.pair), refused.get(audience))
        for row in rows
        for audience, platform in [row.pair]
    ]


def last_completed(store: TableStore, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Distribution]:
    """Return the last completed distribution of pairs, archived ones too; one that was withdrawn counts no more."""
    wanted = set(pairs)
    if not wanted:
        return {}
    found = store.pairs(sorted({platform for _, platform in wanted}), sorted({audience for audience, _ in wanted}))
    keys = {(pair.audience_id, pair.platform_id): pair.completed for pair in found if pair.completed}
    keys = {pair: key for pair, key in keys.items() if pair in wanted}
    rows = by_key(store, DISTRIBUTIONS, keys.values()) if keys else {}
    missing = set(keys.values()) - rows.keys()
    archived: dict[str, Any] = by_key(store, DISTRIBUTIONS_ARCHIVE, missing) if missing else {}
    known = {pair: Distribution(row) for pair, key in keys.items() if (row := (rows | archived).get(key))}
    return {pair: row for pair, row in known.items() if row.results.outcome != "withdrawn"}
