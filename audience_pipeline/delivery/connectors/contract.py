"""The connector contract: what every platform can be asked, and the values that go in and out.

Belongs here: the protocol, its argument and result types. Does not belong here: how a platform is told, when something
is sent, and how often it is tried again; neither storage nor Dagster. One contract suite runs against every connector.

A connector serves all platforms of a type. It holds no credentials, they come with each call, and its methods may be
called by several threads at once. What goes wrong is one of the errors of :mod:`.failures`, and nothing else.
The words are those of AdCP's signals where it has one. Unknown is None, never 0 or -1.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from audience_pipeline.delivery.content import Content
from audience_pipeline.security import Secret

KEY_LENGTHS = range(16, 256)
"""How many characters an idempotency key may have; they are visible ASCII."""

Status: TypeAlias = Literal["processing", "completed", "failed"]
Approval: TypeAlias = Literal["pending", "approved", "denied"]
Basis: TypeAlias = Literal["reported", "reported_range", "reach_estimate", "simulated"]
Pricing: TypeAlias = Literal["cpm", "percent_of_media", "flat_fee", "per_unit", "custom"]


@dataclass(frozen=True, slots=True)
class OpenedCredentials:
    """A platform's credentials, opened; they print as ``***``.

    ``additional_config`` is the JSON text of an object where it was sealed as one.
    """

    account_id: str | None = None
    api_key: Secret[str] | None = None
    additional_config: Secret[str] | None = None

    def secrets(self) -> Iterator[Secret[str]]:
        """Yield what must not be seen anywhere."""
        yield from (secret for secret in (self.api_key, self.additional_config) if secret is not None)


@dataclass(frozen=True, slots=True)
class Account:
    """Whom credentials belong to, as the platform says."""

    account_id: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a platform asks of those who send to it.

    Attributes:
        segment_floor: members a segment must have for the platform to use it; 0 is none.
        requests_per_second: how many calls it takes, on average; None is without a limit.
        batch_size: segments one submission may carry.
        currency: ISO 4217 code of its prices.
    """

    segment_floor: int
    requests_per_second: float | None
    batch_size: int
    currency: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What a submission is estimated to cost, in the currency given."""

    amount: float
    currency: str
    pricing: Pricing


@dataclass(frozen=True, slots=True)
class PreparedSegment:
    """One segment as the platform would get it; the digest changes with anything that is sent of it, its size too."""

    segment_id: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a connector would not send yet: a code, and what a person needs to know to lift it."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """What would be sent.

    Attributes:
        payload: the bytes to submit; the same for the same content in any order.
        digest: the SHA-256 of the payload, in hexadecimal.
        segments: all segments of the content, in the order of their ids.
        included: the ids of those the payload carries: all, or for an incremental those that changed. None of them
            means that there is nothing to send.
        cost: an estimate; None where nobody can tell.
        holds: the connector's own reasons not to send.
    """

    payload: bytes
    digest: str
    segments: tuple[PreparedSegment, ...]
    included: tuple[str, ...]
    cost: Cost | None = None
    holds: tuple[Hold, ...] = ()


@dataclass(frozen=True, slots=True)
class Issue:
    """What a platform has against a segment, or against all of it (``segment_id`` None); redacted."""

    code: str
    message: str
    segment_id: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """What a platform took.

    Attributes:
        reference: names the submission to the platform, for ``poll`` and ``withdraw``; a text, never a number.
        digest: the SHA-256 of the payload that the platform holds, where it says so.
        accepted: ids of the segments it took; never empty.
        refused: what it did not take, and why.
    """

    reference: str
    digest: str | None
    accepted: tuple[str, ...]
    refused: tuple[Issue, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The platform has a submission under the key."""

    submission: Submission


@dataclass(frozen=True, slots=True)
class Absent:
    """The platform is certain to have none: sending now sends once."""


@dataclass(frozen=True, slots=True)
class Unknowable:
    """The platform cannot tell, and never will: it looks nothing up by key, or has forgotten."""

    why: str


Lookup: TypeAlias = Found | Absent | Unknowable


@dataclass(frozen=True, slots=True)
class Match:
    """How much of what was sent a platform recognised: as a rate from 0 to 1, as its bounds, or both.

    ``as_of`` is the moment the numbers are of.
    """

    basis: Basis
    as_of: datetime
    effective_match_rate: float | None = None
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """How a submission is doing.

    Attributes:
        status: where it is; completed and failed are final.
        approval: the platform's own decision, which is not ours; None where it has not come to it, or knows none.
        activation_key: what the platform calls the audience; buyers find it under that.
        uploaded_count: members it received.
        matched_count: members it recognised.
        match: rate and bounds; None while nobody can tell.
        issues: what it says went wrong; of a failed one, the first is the reason.
    """

    status: Status
    approval: Approval | None = None
    activation_key: str | None = None
    uploaded_count: int | None = None
    matched_count: int | None = None
    match: Match | None = None
    issues: tuple[Issue, ...] = ()


class Connector(Protocol):
    """A way to one type of platform."""

    @property
    def limits(self) -> Limits:
        """What the platform asks of those who send to it."""
        ...

    def validate(self, credentials: OpenedCredentials) -> Account:
        """Return whose credentials they are; nothing changes.

        Raises:
            AuthenticationError: the platform does not accept them.
        """
        ...

    def prepare(
        self,
        content: Content,
        *,
        sizes: Mapping[str, int],
        match_rate: float | None = None,
        since: Mapping[str, str] | None = None,
    ) -> Prepared:
        """Return what would be sent. Pure: it asks nobody, and equal arguments give equal results.

        Args:
            content: what to send, to whom, at what price.
            sizes: today's members of each segment, by id. A segment without one is left out, and held for it.
            match_rate: what the tenant expects the platform to recognise, from 0 to 1.
            since: for an incremental, the digests of the segments that the platform has, by id; only others are sent,
                and what the platform has of the rest stays. Segments no longer in the content stay there, too, until
                everything is sent (``since`` None), which replaces what the platform has of the audience.
        """
        ...

    def submit(self, credentials: OpenedCredentials, payload: bytes, idempotency_key: str) -> Submission:
        """Hand a payload over; with a key the platform has seen it does so once, and returns what it has.

        Raises:
            RetryableError: it was not taken, and may be later, under the same key.
            PermanentError: it is not taken, or nothing of it was (``nothing_accepted``).
            AuthenticationError: the platform does not accept the credentials.
            UnknownOutcomeError: nobody knows whether it was taken; ``find`` may tell.
        """
        ...

    def find(self, credentials: OpenedCredentials, idempotency_key: str) -> Lookup:
        """Return what the platform has under a key.

        Raises:
            RetryableError: it gave no answer, which is not the same as Unknowable.
            PermanentError, AuthenticationError: it does not answer this, or these credentials.
        """
        ...

    def poll(self, credentials: OpenedCredentials, reference: str) -> Report:
        """Return how a submission is doing.

        Raises:
            RetryableError: it gave no answer.
            PermanentError: it knows no such reference (``unknown_reference``).
            AuthenticationError: it does not accept the credentials.
        """
        ...

    def withdraw(self, credentials: OpenedCredentials, reference: str) -> None:
        """Take back what was submitted; doing so again changes nothing.

        Raises:
            RetryableError: it gave no answer; withdrawing again is safe.
            PermanentError: it knows no such reference (``unknown_reference``).
            AuthenticationError: it does not accept the credentials.
        """
        ...
