"""Sending what is due: judged, claimed, submitted, recorded, a batch at a time.

Belongs here: the order of these steps, and the lease while calls are under way. Does not belong here: the calls
(:mod:`.asking`), what an outcome leads to (:mod:`.recording`).

A claim is made before anything is sent, and says under which idempotency key, with which payload. Answers are recorded
by the thread that claimed, which renews the leases of those still under way.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

import msgspec

from audience_pipeline.delivery.asking import Line, Outcome, submit
from audience_pipeline.delivery.cases import Case, cases_of, distributions
from audience_pipeline.delivery.distribution import Distribution
from audience_pipeline.delivery.engine import Engine
from audience_pipeline.delivery.judging import Judge, Ready
from audience_pipeline.delivery.lifecycle import (
    Claim,
    Step,
    claimed,
    completed,
    extended,
    failed,
    held,
    idempotency_key,
)
from audience_pipeline.delivery.lines import Lines
from audience_pipeline.delivery.permission import Refusal
from audience_pipeline.delivery.recording import submitted
from audience_pipeline.ingest.quarantine import Quarantine

THREADS = 16
"""Calls under way at once; platforms answer slower than we ask."""


@dataclass(slots=True)
class _Mission:
    """A distribution that is to be sent: its row as claimed, what is sent, the way there, and until when it is ours."""

    row: Distribution
    ready: Ready
    line: Line
    until: datetime


def send(engine: Engine, keys: Sequence[str]) -> list[Step]:
    """Send those of distributions that are due and may be sent; return the last step of each that was touched."""
    now = engine.clock()
    rows = [row for row in distributions(engine.store, keys) if row.status == "scheduled" and row.due_at <= now]
    judge, lines = Judge(engine.settings, engine.connectors, engine.clock()), Lines(engine)
    missions: dict[str, _Mission] = {}
    steps: list[Step] = []
    for case in cases_of(engine.store, rows, Quarantine(engine.settings.quarantine_dir)):
        found = _judged(engine, judge, lines, case)
        steps.append(found if isinstance(found, Step) else _claim(engine, found.ready, found.until))
        if isinstance(found, _Mission):
            missions[case.distribution.id] = found
    made = {step.after.id: step for step in engine.take(steps)}
    claims = [replace(missions[key], row=step.after) for key, step in made.items() if key in missions]
    ended = engine.take(_nothing_changed(engine, each) for each in claims if not each.ready.prepared.included)
    ended += _sent(engine, [each for each in claims if each.ready.prepared.included])
    return list((made | {step.after.id: step for step in ended}).values())


def _judged(engine: Engine, judge: Judge, lines: Lines, case: Case) -> _Mission | Step:
    """Return what is to be sent, or the step of what is not."""
    row, judgement = case.distribution, judge(case)
    if isinstance(judgement, Refusal):
        return failed(row, judgement.code, judgement.message, engine.by())
    if isinstance(judgement, Ready):
        way = lines.to(case, judgement.connector)
        if isinstance(way, Line):
            return _Mission(row, judgement, way, engine.lease_until())
        judgement = way
    return held(row, judgement.reason, judgement.detail, engine.look_at(), engine.by())


def _claim(engine: Engine, ready: Ready, until: datetime) -> Step:
    claim = Claim(
        token=uuid4().hex,
        until=until,
        digest=ready.prepared.digest,
        sent=ready.sent,
        total_size=sum(ready.case.sizes.values()),
        full_at=ready.full_at,
        approval=ready.approval,
    )
    return claimed(ready.case.distribution, claim, engine.by())


def _nothing_changed(engine: Engine, mission: _Mission) -> Step:
    results = msgspec.structs.replace(mission.row.results, outcome="nothing_changed")
    return completed(mission.row, results, engine.by(), {"segments": len(mission.ready.prepared.segments)})


def _sent(engine: Engine, missions: Sequence[_Mission]) -> list[Step]:
    """Submit claimed distributions, and record each answer."""
    if not missions:
        return []
    steps: list[Step] = []
    with ThreadPoolExecutor(THREADS) as pool:
        pending = {pool.submit(_call, engine, mission): mission for mission in missions}
        while pending:
            done, _ = wait(pending, timeout=engine.settings.lease_seconds / 3)
            steps += _recorded(engine, [(pending.pop(future), future.result()) for future in done])
            _renew(engine, pending)
    return steps


def _call(engine: Engine, mission: _Mission) -> Outcome:
    payload, key = mission.ready.prepared.payload, idempotency_key(mission.row)
    return submit(mission.line, payload, key, lambda: engine.has_time(mission.until))


def _recorded(engine: Engine, outcomes: Sequence[tuple[_Mission, Outcome]]) -> list[Step]:
    engine.reached({mission.row.pair[1]: not mission.line.closed.is_set() for mission, _ in outcomes})
    return engine.take(submitted(engine, mission.row, outcome) for mission, outcome in outcomes)


def _renew(engine: Engine, pending: "dict[Future[Outcome], _Mission]") -> None:
    """Hold on to what is still under way; what somebody else took over is left to them, and not begun."""
    until = engine.lease_until()
    made = engine.take(extended(mission.row, until, engine.by()) for mission in pending.values())
    fresh = {step.after.id: step.after for step in made}
    for mission in pending.values():
        mission.row = fresh.get(mission.row.id, mission.row)
        mission.until = until if mission.row.id in fresh else engine.clock()
