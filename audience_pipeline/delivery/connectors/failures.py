"""What goes wrong between us and a platform, classed by what may be done about it.

Belongs here: the four errors a connector raises, and how an HTTP exchange is classed; every connector shares both.
Does not belong here: what is done about them. An error's fields are stored with the distribution and shown to people:
they are made of redacted texts only.

The class answers one question: may the same submission be sent again? Retryable: yes, later, under the same key.
Permanent: not as it is. Authentication: not by anybody, until the platform's credentials are mended. Unknown: only
after the platform was asked what became of it.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from audience_pipeline.errors import PipelineError


class ConnectorError(PipelineError):
    """The base of the four; a connector raises no other error on purpose.

    Attributes:
        code: names the failure for programs, in snake case; it becomes ``error_details.error_code``.
        evidence: what is to be known besides, redacted: the HTTP status, what the platform said, its request id.
    """

    expectation: ClassVar[str] = "an answer"
    advice: ClassVar[str] = ""

    def __init__(
        self,
        object: str,
        *,
        code: str,
        found: str,
        expected: str | None = None,
        remedy: str | None = None,
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        """Say what was found; what was expected and what to do follow from the class unless given."""
        super().__init__(object, found=found, expected=expected or self.expectation, remedy=remedy or self.advice)
        self.code = code
        self.evidence = dict(evidence or {})

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild from all fields, those of subclasses too."""
        return _rebuilt, (type(self), vars(self))


class RetryableError(ConnectorError):
    """It was not done, and may be later; trying again under the same key is safe.

    Attributes:
        retry_after: seconds the platform asks to wait; None where it says nothing.
    """

    retryable = True
    advice = "It is tried again by itself."

    def __init__(
        self,
        object: str,
        *,
        code: str,
        found: str,
        retry_after: float | None = None,
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(object, code=code, found=found, evidence=evidence)
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild from the fields that can be given."""
        given = ("object", "code", "found", "retry_after", "evidence")
        return _rebuilt, (type(self), {name: getattr(self, name) for name in given})


class PermanentError(ConnectorError):
    """It was not done, and never will be as it is."""

    expectation = "what the platform takes"
    advice = "Correct what it names, then retry."


class AuthenticationError(ConnectorError):
    """The platform does not accept the credentials, so it accepts nothing: nothing more is sent to it until fixed."""

    expectation = "credentials that the platform accepts"
    advice = "Land the platform with other credentials; until then nothing is sent to it."


class UnknownOutcomeError(ConnectorError):
    """Nobody knows whether it was done: sending again might send twice."""

    expectation = "an answer that says what became of it"
    advice = "The platform is asked for it by its idempotency key before anything is sent again."


def _rebuilt(cls: type[ConnectorError], fields: Mapping[str, Any]) -> ConnectorError:
    return cls(**fields)
