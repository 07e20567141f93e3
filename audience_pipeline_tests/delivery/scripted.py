"""A platform in this process that does what a test tells it to: takes, refuses, loses answers, forgets nothing."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from audience_pipeline.delivery.connectors.contract import (
    Absent,
    Account,
    Found,
    Lookup,
    OpenedCredentials,
    Prepared,
    Report,
    Submission,
)
from audience_pipeline.delivery.connectors.failures import (
    AuthenticationError,
    PermanentError,
    RetryableError,
    UnknownOutcomeError,
)
from audience_pipeline.delivery.connectors.sandbox import LIMITS, SandboxConnector
from audience_pipeline.delivery.connectors.transport import Transport
from audience_pipeline.delivery.content import Content

MOODS = ("takes", "busy", "loses the answer", "resets before", "refuses", "unauthorized", "silent")


@dataclass
class Scripted:
    """The connector and its platform; ``taken`` has each submission it ever took, by key and in order."""

    mood: str = "takes"
    seconds: float = 0.0
    taken: dict[str, list[bytes]] = field(default_factory=dict)
    calls: int = 0
    limits = LIMITS

    def of_type(self, _: str) -> "Scripted":
        return self

    def validate(self, credentials: OpenedCredentials) -> Account:
        return Account(credentials.account_id or "")

    def prepare(self, content: Content, *, sizes: Mapping[str, int], **more: Any) -> Prepared:  # noqa: ANN401
        with Transport(1) as transport:
            return SandboxConnector("scripted", "http://127.0.0.1", transport).prepare(content, sizes=sizes, **more)

    def submit(self, _: OpenedCredentials, payload: bytes, key: str) -> Submission:
        self.calls += 1
        time.sleep(self.seconds)
        if self.mood == "busy":
            raise RetryableError(key, code="busy", found="a busy platform")
        if self.mood == "refuses":
            raise PermanentError(key, code="refused", found="nothing it likes")
        if self.mood == "unauthorized":
            raise AuthenticationError(key, code="unauthorized", found="a key it does not know")
        if self.mood in {"resets before", "silent"}:
            raise UnknownOutcomeError(key, code="no_answer", found="no answer")
        # It knows no keys when it takes something: sent twice is there twice, and the test sees it.
        self.taken.setdefault(key, []).append(payload)
        if self.mood == "loses the answer":
            raise UnknownOutcomeError(key, code="no_answer", found="no answer")
        return _submission(key)

    def find(self, _: OpenedCredentials, key: str) -> Lookup:
        if self.mood == "silent":
            raise RetryableError(key, code="no_answer", found="no answer")
        return Found(_submission(key)) if key in self.taken else Absent()

    def poll(self, _: OpenedCredentials, reference: str) -> Report:
        if self.mood in {"busy", "silent"}:
            raise RetryableError(reference, code="busy", found="a busy platform")
        return Report("completed", "approved", activation_key=reference)

    def withdraw(self, _: OpenedCredentials, reference: str) -> None:
        self.taken.pop(reference, None)


def _submission(key: str) -> Submission:
    return Submission(f"ref {key}", None, ("s1", "s2"))
