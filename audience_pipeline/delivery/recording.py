"""What an outcome leads to: the step of the distribution it is the outcome of.

Belongs here: which failure is tried again, and when; when it is given up; what a report becomes in ``match_results``.
Does not belong here: the steps themselves (:mod:`.lifecycle`), or how an outcome was come by.
"""

from datetime import timedelta

import msgspec

from audience_pipeline.delivery.asking import Outcome, Unresolved, Unsent
from audience_pipeline.delivery.connectors.contract import Report, Submission
from audience_pipeline.delivery.connectors.failures import AuthenticationError, ConnectorError, RetryableError
from audience_pipeline.delivery.distribution import Distribution, aware
from audience_pipeline.delivery.engine import Engine
from audience_pipeline.delivery.lifecycle import (
    Accepted,
    Later,
    Step,
    accepted,
    completed,
    failed,
    polled,
    rescheduled,
    unresolved,
)
from audience_pipeline.tables.shapes import EngineMatchResults

UNKNOWN = "outcome_unknown"
UNREPORTED = "not_reported"
"""The platform took it, and never said what became of it."""
PAUSED_HOLD = "platform_paused"


def submitted(engine: Engine, row: Distribution, outcome: Outcome) -> Step:
    """Return the step of a claimed distribution after it was submitted, or the platform was asked for it."""
    if isinstance(outcome, Submission):
        refused = {each.segment_id or "": f"{each.code}, {each.message}" for each in outcome.refused}
        known = outcome.digest in {None, row.attempt.digest}
        return accepted(row, Accepted(outcome.reference, refused, engine.poll_at(0), known), engine.by())
    if isinstance(outcome, Unsent):
        return rescheduled(row, _unsent(engine, outcome), engine.by())
    if isinstance(outcome, ConnectorError):
        return _not_taken(engine, row, outcome)
    if isinstance(outcome, Unresolved) and not _overdue(engine, row):
        until = engine.retry_at(row.attempt.polls, outcome.wait)
        return unresolved(row, outcome.code, outcome.message, until, engine.by())
    return failed(row, UNKNOWN, f"{outcome.message} {_ASK}", engine.by())


def reported(engine: Engine, row: Distribution, outcome: Report | ConnectorError) -> Step:
    """Return the step of a submission after the platform was asked about it."""
    if isinstance(outcome, ConnectorError) and not isinstance(outcome, RetryableError | AuthenticationError):
        return failed(row, outcome.code, str(outcome), engine.by(), outcome.evidence)
    if isinstance(outcome, Report) and outcome.status != "processing":
        return _ended(engine, row, outcome)
    if not isinstance(outcome, AuthenticationError) and _overdue(engine, row):
        hours = engine.settings.poll_deadline_hours
        message = f"taken as {row.attempt.reference}, and nothing reported within {hours} h. {_ASK}"
        return failed(row, UNREPORTED, message, engine.by())
    if isinstance(outcome, Report):
        return polled(row, engine.poll_at(row.attempt.polls), None)
    wait = getattr(outcome, "retry_after", None)
    return polled(row, engine.poll_at(row.attempt.polls, wait), (outcome.code, str(outcome)))


def _ended(engine: Engine, row: Distribution, report: Report) -> Step:
    by, reference = engine.by(), row.attempt.reference
    if report.status == "completed":
        evidence = {"approval": report.approval, "reference": reference}
        return completed(row, results_of(row, report), by, evidence)
    code, message = (
        (report.issues[0].code, report.issues[0].message) if report.issues else ("failed", "no reason given")
    )
    return failed(row, code, f"the platform: {message}", by, {"reference": reference})


def results_of(row: Distribution, report: Report) -> EngineMatchResults:
    """Return what a report becomes; what the platform does not say stays unknown."""
    match = report.match
    return msgspec.structs.replace(
        row.results,
        total_records=report.uploaded_count,
        matched_records=report.matched_count,
        match_rate=match.effective_match_rate if match else None,
        platform_audience_id=report.activation_key or row.attempt.reference,
        basis=match.basis if match else None,
        as_of=match.as_of if match else None,
        match_rate_lower=match.lower if match else None,
        match_rate_upper=match.upper if match else None,
    )


_ASK = "Ask the platform, and if it has none, send it again with `audience-pipeline retry --resend`."


def _not_taken(engine: Engine, row: Distribution, error: ConnectorError) -> Step:
    """Return the step after a failure that is certain to have sent nothing."""
    by = engine.by()
    if isinstance(error, AuthenticationError):
        later = Later(PAUSED_HOLD, str(error), engine.look_at(), counts=False, hold=PAUSED_HOLD)
        return rescheduled(row, later, by, error.evidence)
    if not isinstance(error, RetryableError):
        return failed(row, error.code, str(error), by, error.evidence)
    tries = (row.details.retry_count or 0) + 1
    if tries < engine.settings.max_attempts:
        later = Later(error.code, error.found, engine.retry_at(tries - 1, error.retry_after))
        return rescheduled(row, later, by, error.evidence)
    details = msgspec.structs.replace(row.details, retry_count=tries)
    message = f"{tries} attempts failed, the last one: {error.found}"
    return failed(row.changed({"error_details": details}), error.code, message, by, error.evidence)


def _unsent(engine: Engine, outcome: Unsent) -> Later:
    if outcome.code == PAUSED_HOLD:
        return Later(PAUSED_HOLD, outcome.message, engine.look_at(), counts=False, hold=PAUSED_HOLD)
    return Later(outcome.code, outcome.message, engine.clock() + timedelta(seconds=outcome.wait), counts=False)


def _overdue(engine: Engine, row: Distribution) -> bool:
    since = row.attempt.submitted_at or row.attempt.began_at
    deadline = timedelta(hours=engine.settings.poll_deadline_hours)
    return since is not None and engine.clock() - aware(since) > deadline
