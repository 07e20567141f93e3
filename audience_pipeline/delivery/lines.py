"""The ways to platforms that one batch takes: each made once, with credentials opened once.

Belongs here: connector, credentials and rate limit together. Does not belong here: calls.
"""

from audience_pipeline.delivery.asking import Line
from audience_pipeline.delivery.cases import PAUSED, Case
from audience_pipeline.delivery.connectors.contract import Connector, Hold
from audience_pipeline.delivery.engine import Engine
from audience_pipeline.errors import RefusedError


class Lines:
    """The lines of a batch."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._made: dict[str, Line | Hold] = {}

    def to(self, case: Case, connector: Connector) -> Line | Hold:
        """Return the way to a case's platform, or why there is none just now."""
        platform_id = case.distribution.pair[1]
        if platform_id not in self._made:
            self._made[platform_id] = self._make(case, connector)
        return self._made[platform_id]

    def _make(self, case: Case, connector: Connector) -> Line | Hold:
        platform, limits = case.platform or {}, self._engine.limits
        if platform["sync_status"] == PAUSED:
            return Hold("platform_paused", f"platform {platform['platform_id']} did not accept its credentials")
        try:
            credentials = self._engine.credentials(platform)
        except RefusedError as error:
            return Hold("credentials_unreadable", str(error))
        bucket = None if limits is None else limits.bucket(platform["platform_id"], connector.limits)
        return Line(connector, credentials, bucket)
