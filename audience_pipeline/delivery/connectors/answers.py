"""What an HTTP exchange with a platform means: done, or one of the four failures.

Belongs here: classing an answer, or the lack of one, by what all platforms have in common. Does not belong here: the
connection (:mod:`.transport`), or what a platform's own body says when all went well. A connector adds the codes that
only its platform uses.

An answer of 200 may still be a refusal: GraphQL reports even bad credentials that way. So a body is looked into
whatever its status says.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec

from audience_pipeline.delivery.connectors.failures import (
    AuthenticationError,
    ConnectorError,
    PermanentError,
    RetryableError,
    UnknownOutcomeError,
)
from audience_pipeline.delivery.connectors.redaction import Redactor

T = TypeVar("T")

_LONGEST_WAIT = 86_400.0
_AUTHENTICATION = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_RETRYABLE = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_LISTED = 20
"""Complaints kept as evidence: whoever has more of them reads the first."""


@dataclass(frozen=True, slots=True)
class Codes:
    """What platforms call failures that their HTTP status does not tell; compared without regard to case."""

    authentication: frozenset[str] = frozenset(
        {
            "authentication_failure",
            "forbidden",
            "invalid_client",
            "invalid_grant",
            "invalid_token",
            "permission_denied",
            "unauthenticated",
            "unauthorized",
        }
    )
    retryable: frozenset[str] = frozenset(
        {"deadline_exceeded", "internal_error", "rate_limited", "resource_exhausted", "unavailable"}
    )


COMMON = Codes()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, body, and the headers that matter here, None where they are absent."""

    status: int
    body: bytes
    retry_after: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """What an answer is an answer to.

    Attributes:
        subject: what an error is about, such as ``facebook account 17``; no secret.
        redactor: takes the secrets of the call out of what the platform said.
        writes: whether the call may have changed something that must not be done twice.
        codes: the platform's own words.
    """

    subject: str
    redactor: Redactor = field(default_factory=Redactor)
    writes: bool = False
    codes: Codes = COMMON


def read(answer: Answer, exchange: Exchange, shape: type[T], *, now: datetime) -> T:
    """Return what an answer says, if it reports no failure.

    Args:
        answer: what came back.
        exchange: what it came back to.
        shape: the msgspec type of its JSON.
        now: the present, to which a date to wait for is held.

    Raises:
        ConnectorError: it reports a failure, or is not of the shape: it is some proxy's, or was cut.
    """
    failure = failure_of(answer, exchange, now=now)
    if failure is not None:
        raise failure
    try:
        return msgspec.json.decode(answer.body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError):
        unreadable = unanswered(exchange, cause=f"HTTP {answer.status} with a body that cannot be read", sent=True)
    raise unreadable


def failure_of(answer: Answer, exchange: Exchange, *, now: datetime) -> ConnectorError | None:
    """Return the failure an answer reports, or None if it reports none; ``now`` turns a date to wait for to seconds."""
    complaints = list(_complaints(_decoded(answer.body)))
    if answer.status < HTTPStatus.MULTIPLE_CHOICES and not complaints:
        return None
    subject, found = exchange.subject, _found(answer, complaints, exchange.redactor)
    evidence = _evidence(answer, complaints, exchange.redactor)
    named = {code.lower() for code, _ in complaints if code}
    if answer.status in _AUTHENTICATION or named & exchange.codes.authentication:
        return AuthenticationError(subject, code="unauthorized", found=found, evidence=evidence)
    if answer.status == HTTPStatus.CONFLICT:
        return UnknownOutcomeError(subject, code="conflict", found=found, evidence=evidence)
    if _passes(answer.status) or named & exchange.codes.retryable:
        limited = answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.retry_after is not None
        code, wait = "rate_limited" if limited else "unavailable", seconds_to_wait(answer.retry_after, now=now)
        return RetryableError(subject, code=code, found=found, retry_after=wait, evidence=evidence)
    return PermanentError(subject, code="refused", found=found, evidence=evidence)


def unanswered(exchange: Exchange, *, cause: str, sent: bool) -> ConnectorError:
    """Return what it means that no answer came.

    Args:
        exchange: the call.
        cause: what happened, as a phrase without secrets.
        sent: whether the platform may have received the request.
    """
    if sent and exchange.writes:
        return UnknownOutcomeError(exchange.subject, code="no_answer", found=cause)
    return RetryableError(exchange.subject, code="no_answer" if sent else "unreachable", found=cause)


def seconds_to_wait(header: str | None, *, now: datetime) -> float | None:
    """Return what a ``Retry-After`` header asks for, a number or a date; at most a day, None if it says nothing."""
    if header is None:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d+)?", header.strip(), re.ASCII):
        return min(float(header), _LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max((until - now).total_seconds(), 0.0), _LONGEST_WAIT)


def _passes(status: int) -> bool:
    return status in _RETRYABLE or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _decoded(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _complaints(body: Any) -> Iterator[tuple[str | None, str]]:  # noqa: ANN401 - any JSON
    """Yield code and message of each error in a body, in the forms that REST, OAuth and GraphQL have for them."""
    if not isinstance(body, Mapping):
        return
    listed = body.get("errors") or []
    for error in listed if isinstance(listed, list) else [listed]:
        yield _complaint(error)
    if error := body.get("error"):
        about = body.get("error_description")
        yield (str(error), str(about or error)) if isinstance(error, str) else _complaint(error)


def _complaint(error: Any) -> tuple[str | None, str]:  # noqa: ANN401 - any JSON
    if not isinstance(error, Mapping):
        return None, str(error)
    extensions = error.get("extensions")
    places = [extensions if isinstance(extensions, Mapping) else {}, error]
    code = next((place[name] for place in places for name in ("code", "status", "type") if place.get(name)), None)
    return (None if code is None else str(code)), str(error.get("message") or error.get("reason") or code or "an error")


def _found(answer: Answer, complaints: list[tuple[str | None, str]], redactor: Redactor) -> str:
    if not complaints:
        return f"HTTP {answer.status}"
    code, message = complaints[0]
    return redactor(f"HTTP {answer.status}, {code}: {message}" if code else f"HTTP {answer.status}: {message}")


def _evidence(answer: Answer, complaints: list[tuple[str | None, str]], redactor: Redactor) -> dict[str, Any]:
    said = [{"code": code and redactor(code), "message": redactor(message)} for code, message in complaints[:_LISTED]]
    evidence = {
        "http_status": answer.status,
        "errors": said or None,
        "request_id": answer.request_id and redactor(answer.request_id),
    }
    return {name: value for name, value in evidence.items() if value is not None}
