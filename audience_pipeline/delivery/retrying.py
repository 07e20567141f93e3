"""An operator's word on a distribution: send what failed again, or take back what was delivered.

Belongs here: what may be retried or withdrawn, and under which conditions. Does not belong here: sending; the next
delivery does that.
"""

from collections.abc import Sequence

from audience_pipeline.delivery.asking import Line
from audience_pipeline.delivery.cases import Case, cases_of, distributions
from audience_pipeline.delivery.connectors.failures import ConnectorError
from audience_pipeline.delivery.distribution import Distribution
from audience_pipeline.delivery.engine import Engine, Report
from audience_pipeline.delivery.journal import append, events_of
from audience_pipeline.delivery.lifecycle import By, retried, withdrawn
from audience_pipeline.delivery.lines import Lines
from audience_pipeline.delivery.recording import UNKNOWN, UNREPORTED
from audience_pipeline.errors import UsageError
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.tables import DISTRIBUTIONS

REFUSED = "refused"
_ABSENT = "there is no such distribution, or it is archived"


def retry(store: TableStore, distribution_ids: Sequence[str], by: By, *, resend: bool = False) -> list[Report]:
    """Schedule failed distributions again, each on its own.

    Where nobody knows whether the platform has it, only ``resend`` does so: it may then be there twice.

    Raises:
        UsageError: nobody is named.
    """
    _named(by)
    return [_retried(store, key, row, by, resend=resend) for key, row in _rows(store, distribution_ids)]


def _retried(store: TableStore, key: str, row: Distribution | None, by: By, *, resend: bool) -> Report:
    if row is None or (problem := _not_retryable(row, resend=resend)):
        return _refused(key, row, problem if row else _ABSENT)
    step = retried(row, by, resend=resend)
    if not store.transition(DISTRIBUTIONS, [step.change]).won:
        return _refused(key, row, "somebody changed it just now; look again")
    append(store, [event for each in (step.before, step.after) for event in events_of(each)])
    pending = step.after.metadata.approval_status == "pending"
    return Report(key, "scheduled", "it waits for an approval" if pending else "it is due at once", row.month)


def withdraw(engine: Engine, distribution_ids: Sequence[str], why: str) -> list[Report]:
    """Have platforms take what completed out of use, each on its own; refreshes of it end with that.

    Raises:
        UsageError: nobody is named.
    """
    _named(engine.by())
    rows, lines = _rows(engine.store, distribution_ids), Lines(engine)
    cases = {case.distribution.id: case for case in cases_of(engine.store, [row for _, row in rows if row is not None])}
    return [_withdrawn(engine, lines, key, cases.get(key), why) for key, _ in rows]


def _withdrawn(engine: Engine, lines: Lines, key: str, case: Case | None, why: str) -> Report:
    row = case.distribution if case else None
    if case is None or row is None or (problem := _not_withdrawable(row)):
        return _refused(key, row, problem if row else _ABSENT)
    try:
        connector = engine.connectors.of_type((case.platform or {})["platform_type"])
        line = lines.to(case, connector)
        if not isinstance(line, Line):
            return _refused(key, row, f"{line.reason}: {line.detail}")
        connector.withdraw(line.credentials, row.attempt.reference or "")
    except ConnectorError as error:
        return Report(key, "failed", str(error), row.month)
    if engine.take([withdrawn(row, why, engine.by())]):
        return Report(key, "withdrawn", "the platform has taken it out of use", row.month)
    return _refused(key, row, "withdrawn, but somebody changed the row just now; withdraw it again")


def _rows(store: TableStore, keys: Sequence[str]) -> list[tuple[str, Distribution | None]]:
    wanted = list(dict.fromkeys(key.lower() for key in keys))
    if not wanted:
        subject = "DISTRIBUTION_ID"
        raise UsageError(subject, found="none", expected="at least one", remedy="Name it, and run again.")
    found = {row.id: row for row in distributions(store, wanted)}
    return [(key, found.get(key)) for key in wanted]


def _named(by: By) -> None:
    if not by.actor.strip():
        subject = "--by"
        raise UsageError(subject, found="nobody", expected="who asks for it", remedy="Name it, and run again.")


def _not_retryable(row: Distribution, *, resend: bool) -> str:
    if row.status != "failed":
        return f"it is {row.status}; only what failed can be retried"
    if row.details.error_code in {UNKNOWN, UNREPORTED} and not resend:
        return "the platform may have it: ask there first, then run again with --resend"
    return ""


def _not_withdrawable(row: Distribution) -> str:
    if row.status == "completed" and row.attempt.reference:
        return ""
    return f"it is {row.status}, and there is nothing on record that the platform took"


def _refused(key: str, row: Distribution | None, why: str) -> Report:
    return Report(key, REFUSED, why, row.month if row else 0)
