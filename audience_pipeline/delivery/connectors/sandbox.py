"""The connector to the sandbox, which stands in for any platform in demonstrations and rehearsals.

Belongs here: the sandbox's payload and its calls. Does not belong here: how the sandbox behaves
(``audience_pipeline.sandbox``, with which this shares nothing but HTTP).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from audience_pipeline.delivery.connectors.answers import Answer, Exchange, read
from audience_pipeline.delivery.connectors.contract import (
    Absent,
    Account,
    Cost,
    Found,
    Limits,
    Lookup,
    OpenedCredentials,
    Prepared,
    Report,
    Submission,
)
from audience_pipeline.delivery.connectors.failures import AuthenticationError, PermanentError
from audience_pipeline.delivery.connectors.preparing import Part, changed, encoded, holds_of, parts_of, sha256
from audience_pipeline.delivery.connectors.redaction import Redactor
from audience_pipeline.delivery.connectors.sandbox_answers import (
    AccountAnswer,
    ReportAnswer,
    SubmissionAnswer,
    WithdrawalAnswer,
    report_of,
    says_not_found,
    submission_of,
)
from audience_pipeline.delivery.connectors.transport import Request, Transport
from audience_pipeline.delivery.content import Content

LIMITS = Limits(segment_floor=25, requests_per_second=None, batch_size=1_000, currency="USD")
T = TypeVar("T")


def _now() -> datetime:
    return datetime.now(UTC)


class SandboxConnector:
    """Serves the platforms of one type by a sandbox; under another type's name it rehearses that type."""

    limits = LIMITS

    def __init__(
        self, platform_type: str, url: str, transport: Transport, *, clock: Callable[[], datetime] = _now
    ) -> None:
        """Send to the sandbox at ``url``; ``clock`` tells how far away a date is that it asks to wait for."""
        self._type, self._url, self._transport, self._clock = platform_type, url.rstrip("/"), transport, clock

    def validate(self, credentials: OpenedCredentials) -> Account:
        """Return the account that the sandbox takes the credentials for."""
        exchange = self._exchange(credentials)
        answer = self._ask(credentials, exchange, "/v1/account")
        return Account(self._read(answer, exchange, AccountAnswer).account)

    def prepare(
        self,
        content: Content,
        *,
        sizes: Mapping[str, int],
        match_rate: float | None = None,
        since: Mapping[str, str] | None = None,
    ) -> Prepared:
        """Return what would be sent; the estimate is the price that was asked for, as a flat fee."""
        parts = parts_of(content, sizes)
        included = changed(parts, since)
        payload = encoded(_members(content, included, match_rate, merge=since is not None))
        return Prepared(
            payload=payload,
            digest=sha256(payload),
            segments=tuple(part.segment for part in parts),
            included=tuple(part.segment.segment_id for part in included),
            cost=None if content.price is None else Cost(content.price, LIMITS.currency, "flat_fee"),
            holds=tuple(holds_of(content, sizes, included, LIMITS)),
        )

    def submit(self, credentials: OpenedCredentials, payload: bytes, idempotency_key: str) -> Submission:
        """Hand a payload over."""
        exchange = self._exchange(credentials, writes=True)
        headers = {**_headers(credentials, exchange), "Idempotency-Key": idempotency_key}
        answer = self._transport.call(Request("POST", f"{self._url}/v1/activations", headers, payload), exchange)
        return submission_of(self._read(answer, exchange, SubmissionAnswer), exchange)

    def find(self, credentials: OpenedCredentials, idempotency_key: str) -> Lookup:
        """Return what the sandbox has under a key; it always knows."""
        exchange = self._exchange(credentials)
        path = f"/v1/activations?idempotency_key={quote(idempotency_key, safe='')}"
        answer = self._ask(credentials, exchange, path)
        if says_not_found(answer):
            return Absent()
        return Found(submission_of(self._read(answer, exchange, SubmissionAnswer), exchange))

    def poll(self, credentials: OpenedCredentials, reference: str) -> Report:
        """Return how a submission is doing."""
        exchange = self._exchange(credentials)
        answer = self._ask(credentials, exchange, _path(reference))
        return report_of(self._read(_known(answer, exchange), exchange, ReportAnswer))

    def withdraw(self, credentials: OpenedCredentials, reference: str) -> None:
        """Take a submission out of use."""
        exchange = self._exchange(credentials)
        answer = self._ask(credentials, exchange, f"{_path(reference)}/deactivate", "POST")
        self._read(_known(answer, exchange), exchange, WithdrawalAnswer)

    def _exchange(self, credentials: OpenedCredentials, *, writes: bool = False) -> Exchange:
        subject = f"{self._type} account {credentials.account_id}" if credentials.account_id else self._type
        return Exchange(subject, Redactor(credentials.secrets()), writes=writes)

    def _ask(
        self,
        credentials: OpenedCredentials,
        exchange: Exchange,
        path: str,
        method: Literal["GET", "POST"] = "GET",
    ) -> Answer:
        request = Request(method, f"{self._url}{path}", _headers(credentials, exchange))
        return self._transport.call(request, exchange)

    def _read(self, answer: Answer, exchange: Exchange, shape: type[T]) -> T:
        return read(answer, exchange, shape, now=self._clock())


def _members(content: Content, included: Sequence[Part], match_rate: float | None, *, merge: bool) -> dict[str, Any]:
    """Return the payload; what it does not say is left out."""
    members = {
        "action": "activate",
        "mode": "merge" if merge else "replace",
        "destination": {"type": "platform", "platform": content.platform_type, "account": content.account_id},
        "audience": content.audience_id,
        "price": content.price,
        "match_rate": match_rate,
        "segments": [part.members for part in included],
    }
    return {name: value for name, value in members.items() if value is not None}


def _headers(credentials: OpenedCredentials, exchange: Exchange) -> dict[str, str]:
    """Return the headers of a call; a key that no header can carry must not get into the error of the one that tries.

    Raises:
        AuthenticationError: it is such a key.
    """
    headers = {"Content-Type": "application/json", "X-Account": quote(credentials.account_id or "default", safe="")}
    if credentials.api_key is None:
        return headers
    key = credentials.api_key.reveal()
    if not (key.isascii() and key.isprintable()):
        found = "an API key with characters that cannot be sent"
        raise AuthenticationError(exchange.subject, code="malformed_key", found=found)
    return {**headers, "Authorization": f"Bearer {key}"}


def _path(reference: str) -> str:
    return f"/v1/activations/{quote(reference, safe='')}"


def _known(answer: Answer, exchange: Exchange) -> Answer:
    """Return an answer that is not about an unknown reference.

    Raises:
        PermanentError: it is.
    """
    if not says_not_found(answer):
        return answer
    raise PermanentError(
        exchange.subject,
        code="unknown_reference",
        found="a reference that the platform does not know",
        expected="one of this account's submissions",
        remedy="See whether the account, or the platform behind its address, is another one than when it was sent.",
    )
