"""What the sandbox says, in the contract's words.

Belongs here: the shapes of its answers, and what each means to us. Does not belong here: calling it.
"""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Literal

import msgspec

from audience_pipeline.delivery.connectors.answers import Answer, Exchange, unanswered
from audience_pipeline.delivery.connectors.contract import Approval, Issue, Match, Report, Status, Submission
from audience_pipeline.delivery.connectors.failures import PermanentError
from audience_pipeline.delivery.connectors.redaction import Redactor


class AccountAnswer(msgspec.Struct):
    """Whose key it is."""

    account: str


class Refusal(msgspec.Struct):
    """A segment that was not taken."""

    segment_id: str
    code: str
    message: str


class SubmissionAnswer(msgspec.Struct):
    """What was taken; without a reference, nothing was."""

    accepted: list[str]
    refused: list[Refusal]
    reference: str | None = None
    digest: str | None = None


class ReportAnswer(msgspec.Struct):
    """How a submission is doing; a count of -1 is unknown."""

    status: Literal["processing", "ready", "too_small", "suspended"]
    approval: Approval | None = None
    activation_key: str | None = None
    uploaded_count: int | None = None
    matched_count: int | None = None
    effective_match_rate: float | None = None
    as_of: float | None = None


class WithdrawalAnswer(msgspec.Struct):
    """Whether it is still in use."""

    is_live: Literal[False]


class _Error(msgspec.Struct):
    code: str


class _Refused(msgspec.Struct):
    error: _Error


def says_not_found(answer: Answer) -> bool:
    """Return whether the sandbox says that it has not got something; that nobody answers at a path is not enough."""
    if answer.status != HTTPStatus.NOT_FOUND:
        return False
    try:
        return msgspec.json.decode(answer.body, type=_Refused).error.code == "NOT_FOUND"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def submission_of(answer: SubmissionAnswer, exchange: Exchange) -> Submission:
    """Return what was taken.

    Raises:
        PermanentError: nothing was.
        UnknownOutcomeError: it took something, and does not say under which reference.
    """
    refused = tuple(_issue(each, exchange.redactor) for each in answer.refused)
    if not answer.accepted:
        raise PermanentError(
            exchange.subject,
            code="nothing_accepted",
            found=f"all {len(refused)} segments refused, {refused[0].message}" if refused else "nothing accepted",
            expected="at least one segment that the platform takes",
            evidence={"refused": [msgspec.to_builtins(each) for each in refused[:20]]},
        )
    if answer.reference is None:
        raise unanswered(exchange, cause="an answer without a reference", sent=True)
    return Submission(answer.reference, answer.digest, tuple(answer.accepted), refused)


def report_of(answer: ReportAnswer) -> Report:
    """Return how a submission is doing; it is completed once it has numbers and the platform's approval."""
    status, issues = _outcome(answer)
    return Report(
        status=status,
        approval=answer.approval,
        activation_key=answer.activation_key,
        uploaded_count=_known(answer.uploaded_count),
        matched_count=_known(answer.matched_count),
        match=_match(answer),
        issues=issues,
    )


def _outcome(answer: ReportAnswer) -> tuple[Status, tuple[Issue, ...]]:
    if answer.status == "suspended":
        return "failed", (Issue("suspended", "the platform has taken it out of use"),)
    if answer.approval == "denied":
        return "failed", (Issue("approval_denied", "the platform has not approved it"),)
    if answer.status == "too_small":
        return "failed", (Issue("too_small", "the platform recognised too few members to use it"),)
    done = answer.status == "ready" and answer.approval == "approved"
    return ("completed" if done else "processing"), ()


def _match(answer: ReportAnswer) -> Match | None:
    if answer.effective_match_rate is None or answer.as_of is None:
        return None
    as_of = datetime.fromtimestamp(answer.as_of, UTC)
    return Match("simulated", as_of, effective_match_rate=answer.effective_match_rate)


def _known(count: int | None) -> int | None:
    return None if count is None or count < 0 else count


def _issue(refusal: Refusal, redactor: Redactor) -> Issue:
    return Issue(refusal.code.lower(), redactor(refusal.message), refusal.segment_id)
