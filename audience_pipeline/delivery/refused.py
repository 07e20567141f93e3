"""Audiences whose newest version is not the stored one: an update of them was refused, and waits in quarantine.

Belongs here: telling such updates from what is older than the stored row. Does not belong here: what follows from it.
"""

from collections.abc import Iterable

from audience_pipeline.delivery.distribution import Row, aware
from audience_pipeline.ingest.moments import parse_time
from audience_pipeline.ingest.quarantine import Quarantine
from audience_pipeline.tables import AUDIENCES

_SHOWN = 12


def refused_updates(quarantine: Quarantine, audiences: Iterable[Row]) -> dict[str, str]:
    """Return the beginning of the digest of a refused update, by the id of its audience.

    An update is newer by its own ``updated_at``; where that cannot be read, by when it was refused.
    """
    stored = {row["audience_id"]: aware(row["updated_at"]) for row in audiences}
    return {
        key: digest[:_SHOWN]
        for key, digest, version, last_seen in quarantine.of_keys(AUDIENCES, stored)
        if (moment := parse_time(version or "") or parse_time(last_seen)) and moment > stored[key]
    }
