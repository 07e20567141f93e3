"""HTTP calls to platforms: connections that are kept, a limit in time, and never a second try.

Belongs here: making a request and telling whether it left. Does not belong here: what an answer means
(:mod:`.answers`), or trying again, which is decided where the outcome is recorded. No redirect is followed: it would
carry the credentials along.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError

from audience_pipeline.delivery.connectors.answers import Answer, Exchange, unanswered

_CONNECTIONS = 32
_NOT_SENT = (ConnectTimeoutError, NewConnectionError)


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent; header values must be visible ASCII."""

    method: Literal["GET", "POST"]
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


class Transport:
    """Keeps connections for all connectors of a process; any thread may call."""

    def __init__(self, timeout: float) -> None:
        """Allow ``timeout`` seconds for connecting, and again for each wait on an answer."""
        self._pool = urllib3.PoolManager(maxsize=_CONNECTIONS, timeout=urllib3.Timeout(connect=timeout, read=timeout))
        self._timeout = timeout

    def call(self, request: Request, exchange: Exchange) -> Answer:
        """Make a request and return the answer, whatever its status.

        Raises:
            RetryableError: no answer came, and nothing can have changed.
            UnknownOutcomeError: no answer came, and something may have.
        """
        outcome = self._attempt(request)
        if isinstance(outcome, Answer):
            return outcome
        # Raised here, so that the original, which may show the request, is not behind it.
        raise unanswered(exchange, cause=self._cause(outcome), sent=not isinstance(outcome, _NOT_SENT))

    def _attempt(self, request: Request) -> Answer | HTTPError:
        try:
            response = self._pool.request(
                request.method,
                request.url,
                headers=request.headers,
                body=request.body,
                retries=False,
                redirect=False,
            )
        except HTTPError as error:
            return error
        return Answer(
            response.status,
            response.data,
            response.headers.get("Retry-After"),
            response.headers.get("X-Request-Id"),
        )

    def _cause(self, error: HTTPError) -> str:
        if isinstance(error, ReadTimeoutError):
            return f"no answer within {self._timeout:g} s"
        if isinstance(error, ConnectTimeoutError):
            return f"no connection within {self._timeout:g} s"
        return "no connection" if isinstance(error, _NOT_SENT) else "a connection that ended without an answer"

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def __enter__(self) -> Self:
        """Use it for a while."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()
