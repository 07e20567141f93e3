"""Following up what was sent: asking platforms how it is doing, and what became of claims whose worker is gone.

Belongs here: the order of steps for distributions that are processing, and the last look at those that ended. Does not
belong here: the calls, or what an outcome leads to.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from uuid import uuid4

from audience_pipeline.delivery.asking import Line, poll, resolve
from audience_pipeline.delivery.cases import Case, cases_of, distributions
from audience_pipeline.delivery.connectors.contract import Hold
from audience_pipeline.delivery.connectors.failures import ConnectorError
from audience_pipeline.delivery.distribution import Distribution, aware
from audience_pipeline.delivery.engine import Engine
from audience_pipeline.delivery.lifecycle import Step, closed, idempotency_key, postponed, taken_over
from audience_pipeline.delivery.lines import Lines
from audience_pipeline.delivery.recording import reported, submitted
from audience_pipeline.delivery.sending import THREADS

T = TypeVar("T")


def follow(engine: Engine, keys: Sequence[str]) -> list[Step]:
    """Ask after those of distributions that are processing and due for it; return the last step of each.

    What ended is closed, once its time has come, and not mentioned: nothing more happens to it.
    """
    rows, now = distributions(engine.store, keys), engine.clock()
    ended = [row for row in rows if row.status in {"completed", "failed"}]
    _close(engine, [row for row in ended if (look := row.details.look_again_at) and aware(look) <= now])
    waiting = [row for row in rows if row.status == "processing" and row.due_at <= now]
    lines = Lines(engine)
    ways = [(case, _line(engine, lines, case)) for case in cases_of(engine.store, waiting)]
    stuck = [_stuck(engine, case.distribution, why) for case, why in ways if not isinstance(why, Line)]
    made = engine.take(stuck)
    ready = [(case.distribution, line) for case, line in ways if isinstance(line, Line)]
    made += _polled(engine, [(row, line) for row, line in ready if row.attempt.reference])
    made += _recovered(engine, [(row, line) for row, line in ready if not row.attempt.reference])
    _note(engine, ready)
    return list({step.after.id: step for step in made}.values())


def _line(engine: Engine, lines: Lines, case: Case) -> Line | Hold:
    if case.audience is None or case.platform is None:
        return Hold("platform_missing", f"there is no platform {case.distribution.pair[1]}: land it again")
    try:
        connector = engine.connectors.of_type(case.platform["platform_type"])
    except ConnectorError as error:
        return Hold(error.code, str(error))
    return lines.to(case, connector)


def _stuck(engine: Engine, row: Distribution, _: Hold) -> Step:
    """Wait for a platform that cannot be asked just now."""
    return postponed(row, engine.look_at())


def _polled(engine: Engine, waiting: Sequence[tuple[Distribution, Line]]) -> list[Step]:
    reports = _asked(waiting, lambda row, line: poll(line, row.attempt.reference or ""))
    return engine.take(reported(engine, row, report) for row, report in reports)


def _recovered(engine: Engine, lapsed: Sequence[tuple[Distribution, Line]]) -> list[Step]:
    """Take over claims whose worker is gone, and ask what became of them before anything is sent again."""
    lines = {row.id: line for row, line in lapsed}
    by = engine.by()
    taken = engine.take(taken_over(row, uuid4().hex, engine.lease_until(), by) for row, _ in lapsed)
    rows = [(step.after, lines[step.after.id]) for step in taken]
    why = "The worker that had claimed it is gone."
    found = _asked(rows, lambda row, line: resolve(line, idempotency_key(row), "lease_expired", why))
    return engine.take(submitted(engine, row, outcome) for row, outcome in found)


def _asked(
    rows: Iterable[tuple[Distribution, Line]], ask: Callable[[Distribution, Line], T]
) -> list[tuple[Distribution, T]]:
    rows = list(rows)
    if not rows:
        return []
    with ThreadPoolExecutor(THREADS) as pool:
        return [(row, outcome) for (row, _), outcome in zip(rows, pool.map(lambda each: ask(*each), rows), strict=True)]


def _note(engine: Engine, asked: Sequence[tuple[Distribution, Line]]) -> None:
    engine.reached({row.pair[1]: not line.closed.is_set() for row, line in asked})


def _close(engine: Engine, ended: Sequence[Distribution]) -> None:
    """Complete the journal of what ended, and take it off the agenda."""
    engine.tell(ended)
    engine.take(closed(row) for row in ended)
