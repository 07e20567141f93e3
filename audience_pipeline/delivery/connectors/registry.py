"""The registry: which connector serves a type of platform.

Belongs here: finding the connector, and keeping what all of them share. Does not belong here: anything a connector
does. A new platform is one more entry in ``ADAPTERS``.
"""

from collections.abc import Callable, Mapping
from typing import Self, TypeAlias

from audience_pipeline.delivery.connectors.contract import Connector
from audience_pipeline.delivery.connectors.failures import PermanentError
from audience_pipeline.delivery.connectors.sandbox import SandboxConnector
from audience_pipeline.delivery.connectors.transport import Transport
from audience_pipeline.sandbox import DEFAULT_PORT
from audience_pipeline.settings import Settings, variable

Factory: TypeAlias = Callable[[Transport], Connector]
ADAPTERS: Mapping[str, Factory] = {}
"""Real platforms by type."""

SANDBOX = "sandbox"
_HERE = f"http://127.0.0.1:{DEFAULT_PORT}"


class Connectors:
    """The connectors of a process, made when they are first asked for; any thread may ask.

    With ``SANDBOX_URL`` set, the sandbox stands in for every type.
    """

    def __init__(self, settings: Settings, *, adapters: Mapping[str, Factory] = ADAPTERS) -> None:
        self._settings, self._adapters = settings, adapters
        self._transport = Transport(settings.platform_timeout_seconds)
        self._made: dict[str, Connector] = {}

    def of_type(self, platform_type: str) -> Connector:
        """Return the connector of a type of platform.

        Raises:
            PermanentError: there is none (``no_connector``).
        """
        connector = self._made.get(platform_type)
        if connector is None:
            connector = self._made.setdefault(platform_type, self._make(platform_type))
        return connector

    def _make(self, platform_type: str) -> Connector:
        url = self._settings.sandbox_url
        if url is not None or platform_type == SANDBOX:
            return SandboxConnector(platform_type, url or _HERE, self._transport)
        if platform_type in self._adapters:
            return self._adapters[platform_type](self._transport)
        subject = f"platform type {platform_type}"
        raise PermanentError(
            subject,
            code="no_connector",
            found="no connector for it",
            expected=f"one of {', '.join(sorted({SANDBOX, *self._adapters}))}",
            remedy=f"Install one, or set {variable('sandbox_url')} to rehearse on a sandbox.",
        )

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        """Use them for a while."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        self.close()
