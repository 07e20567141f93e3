"""Asking a platform to take a distribution, or what became of it, so that nothing is ever sent twice.

Belongs here: the calls of one attempt, in any thread, and what they come to. Does not belong here: rows and steps.

Where nobody knows whether a platform took a submission, it is asked for it by the idempotency key before anything else.
Only a platform that is certain not to have it leaves the way free for another try.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from audience_pipeline.delivery.connectors.contract import (
    Absent,
    Connector,
    Found,
    Lookup,
    OpenedCredentials,
    Report,
    Submission,
)
from audience_pipeline.delivery.connectors.failures import (
    AuthenticationError,
    ConnectorError,
    PermanentError,
    RetryableError,
    UnknownOutcomeError,
)
from audience_pipeline.delivery.connectors.limits import TokenBucket

_LOG = logging.getLogger(__name__)
_PATIENCE_SECONDS = 60.0
"""How long a thread waits for its turn; what comes later is better asked later."""
_CROWDED = "its turn at the platform comes too late to wait for"


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Nobody knows yet whether it was taken: the platform could not be asked; ``wait`` is what it wants us to."""

    code: str
    message: str
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Unknowable:
    """Nobody will ever know."""

    message: str


@dataclass(frozen=True, slots=True)
class Unsent:
    """It was not tried; ``wait`` says how many seconds there is no use in trying."""

    code: str
    message: str
    wait: float = 0.0


Outcome: TypeAlias = (
    Submission | RetryableError | PermanentError | AuthenticationError | Unresolved | Unknowable | Unsent
)


@dataclass(frozen=True, slots=True)
class Line:
    """The way to one platform: its connector, credentials, and whose turn it is to call.

    ``closed`` is set once the platform did not accept the credentials: nobody else tries them.
    """

    connector: Connector
    credentials: OpenedCredentials
    bucket: TokenBucket | None
    closed: threading.Event = field(default_factory=threading.Event)
    sleep: Callable[[float], None] = time.sleep

    def wait(self) -> float:
        """Wait for the turn of one call; where that would take too long, return how many seconds, else 0."""
        seconds = self.bucket.reserve() if self.bucket is not None else 0.0
        if seconds > _PATIENCE_SECONDS:
            return seconds
        if seconds > 0:
            self.sleep(seconds)
        return 0.0

    def note(self, error: ConnectorError) -> None:
        """Let nobody call for as long as the platform asks, or at all with credentials it does not accept."""
        if isinstance(error, AuthenticationError):
            self.closed.set()
        if isinstance(error, RetryableError) and error.retry_after and self.bucket is not None:
            self.bucket.pause(error.retry_after)


def submit(line: Line, payload: bytes, key: str, still_ours: Callable[[], bool]) -> Outcome:
    """Submit a payload once; ``still_ours`` says, once it is our turn, whether there is time left to do so."""
    if unsent := _not_now(line, still_ours):
        return unsent
    try:
        return line.connector.submit(line.credentials, payload, key)
    except UnknownOutcomeError as error:
        return resolve(line, key, error.code, str(error))
    except (RetryableError, PermanentError, AuthenticationError) as error:
        line.note(error)
        return error
    except Exception as error:  # noqa: BLE001 - a fault of a connector may come after the platform took it
        _LOG.exception("%s: its connector failed.", key)
        return resolve(line, key, "connector_fault", f"the connector failed with {type(error).__name__}")


def _not_now(line: Line, still_ours: Callable[[], bool]) -> Unsent | None:
    if late := line.wait():
        return Unsent("rate_limited", _CROWDED, late)
    if line.closed.is_set():
        return Unsent("platform_paused", "the platform has just refused its credentials")
    return None if still_ours() else Unsent("too_late", "its turn came after most of its lease")


def resolve(line: Line, key: str, code: str, message: str) -> Outcome:
    """Ask the platform what it has under a key, for the reason ``code``."""
    if late := line.wait():
        return Unresolved(code, f"{message} It was not asked: {_CROWDED}.", late)
    try:
        found = line.connector.find(line.credentials, key)
    except PermanentError as error:
        return Unknowable(f"{message} Asked for it, the platform refused to tell: {error}")
    except ConnectorError as error:
        line.note(error)
        return Unresolved(code, f"{message} It could not be asked: {error}", getattr(error, "retry_after", None))
    except Exception as error:  # noqa: BLE001 - the same
        _LOG.exception("%s: its connector failed.", key)
        return Unresolved(code, f"{message} Asking for it, the connector failed with {type(error).__name__}.")
    return _told(found, key, code, message)


def _told(found: Lookup, key: str, code: str, message: str) -> Outcome:
    if isinstance(found, Found):
        return found.submission
    if isinstance(found, Absent):
        return RetryableError(key, code=code, found=f"{message} The platform is certain not to have it")
    return Unknowable(f"{message} The platform cannot tell: {found.why}")


def poll(line: Line, reference: str) -> Report | ConnectorError:
    """Ask how a submission is doing."""
    if late := line.wait():
        return RetryableError(reference, code="rate_limited", found=_CROWDED, retry_after=late)
    try:
        return line.connector.poll(line.credentials, reference)
    except ConnectorError as error:
        line.note(error)
        return error
    except Exception as error:  # noqa: BLE001 - the same
        _LOG.exception("%s: its connector failed.", reference)
        return RetryableError(
            reference, code="connector_fault", found=f"a connector that failed, {type(error).__name__}"
        )
