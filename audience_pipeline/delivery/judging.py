"""The judgement of a distribution that is due: send it, hold it, or refuse it for good.

Belongs here: bringing guards, approval and the connector together, for one case at a time. Does not belong here: acting
on it. A dry run and a delivery ask the same question here, and no credentials are opened for it.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from audience_pipeline.delivery.cases import Case
from audience_pipeline.delivery.connectors.contract import Connector, Hold, Prepared, PreparedSegment
from audience_pipeline.delivery.connectors.failures import ConnectorError
from audience_pipeline.delivery.connectors.registry import Connectors
from audience_pipeline.delivery.distribution import aware
from audience_pipeline.delivery.guards import Bounds, hold_of, references_hold
from audience_pipeline.delivery.permission import Policy, Refusal, permission_of
from audience_pipeline.settings import Settings
from audience_pipeline.tables.shapes import SentSegment, utc_millis

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """What would be sent: ``sent`` is what the platform has afterwards, ``full_at`` when it got all of it last.

    ``approval`` is what the distribution's metadata has to say of a standing approval it is sent under. Nothing is to
    be sent where ``prepared`` includes nothing.
    """

    case: Case
    connector: Connector
    prepared: Prepared
    sent: tuple[SentSegment, ...]
    full_at: datetime
    approval: Mapping[str, Any]


Judgement: TypeAlias = Ready | Hold | Refusal


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges cases by the settings, at a moment."""

    settings: Settings
    connectors: Connectors
    now: datetime

    def __call__(self, case: Case) -> Judgement:
        """Return what is to become of a distribution."""
        if missing := references_hold(case, Bounds()):
            return missing
        policy = Policy(self.settings.require_approval, self.settings.trust_landed_approval)
        permission = permission_of(case, policy, self.now)
        if isinstance(permission, Hold | Refusal):
            return permission
        try:
            connector = self.connectors.of_type(case.content.platform_type)
            bounds = Bounds.of(self.settings, connector.limits.segment_floor)
            return hold_of(case, bounds) or self._prepared(case, connector, permission.members)
        except ConnectorError as error:
            return Refusal(error.code, str(error))

    def _prepared(self, case: Case, connector: Connector, approval: Mapping[str, Any]) -> Judgement:
        since, full_at = self._since(case)
        try:
            prepared = connector.prepare(
                case.content, sizes=case.sizes, match_rate=case.settings.default_match_rate, since=since
            )
        except ConnectorError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of one connector must not stop what others deliver
            _LOG.exception("%s: its connector could not prepare it.", case.distribution.id)
            return Hold("connector_fault", f"its connector failed with {type(error).__name__}: report it")
        if prepared.holds:
            return prepared.holds[0]
        sent = _sent(prepared.segments, case if since is not None else None)
        return Ready(case, connector, prepared, sent, full_at, approval)

    def _since(self, case: Case) -> tuple[dict[str, str] | None, datetime]:
        """Return the digests of what the platform has, None where everything is sent; and when it got all of it."""
        previous = case.previous
        if case.distribution.row["distribution_type"] != "incremental" or previous is None:
            return None, self.now
        sent, full_at = previous.results.sent, previous.results.full_at
        if not sent or full_at is None:
            return None, self.now
        if self.now - aware(full_at) >= timedelta(days=self.settings.full_refresh_days):
            return None, self.now
        return {each.segment_id: each.digest for each in sent}, utc_millis(full_at)


def _sent(segments: Iterable[PreparedSegment], merged: Case | None) -> tuple[SentSegment, ...]:
    """Return what the platform has once it took these segments: beside them, of an incremental, what it had before."""
    before = merged.previous.results.sent or () if merged and merged.previous else ()
    kept = {each.segment_id: each for each in before}
    fresh = {
        each.segment_id: SentSegment(segment_id=each.segment_id, size=each.size, digest=each.digest)
        for each in segments
    }
    return tuple(each for _, each in sorted((kept | fresh).items()))
