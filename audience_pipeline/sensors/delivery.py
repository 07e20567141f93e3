"""What requests deliveries unattended: distributions that are due, and submissions to ask after.

Belongs here: deciding which runs are due. Does not belong here: what a run does.

The agenda is in the store, so a tick costs the same whatever there is besides what is due. Runs hold many distributions
each, and a platform is in one run at a time, which so keeps to its rate limit. Should a run die before it looked at
its distributions, the next lease's tick asks for them once more, since the key of a run also says in which lease it was
asked for. That each is sent once is not up to runs: claims see to it.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from audience_pipeline.jobs.delivery import MOST, deliver, deliver_distributions, follow, follow_distributions
from audience_pipeline.settings import Settings

if TYPE_CHECKING:
    from audience_pipeline.storage.contract import Due

SECONDS_BETWEEN_LOOKS = 30
RUNS_A_TICK = 5
_MOST = 20_000
"""Due distributions one tick looks through."""
_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dg.sensor(
    job=deliver,
    minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests deliveries for the distributions that are due, hundreds a run.",
)
def due_sensor(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    store: dg.ResourceParam[Any],
    clock: dg.ResourceParam[Any],
) -> dg.SensorResult | dg.SkipReason:
    """Request runs that send what is due."""
    requests = _Requests(context, settings, deliver.name, deliver_distributions.name)
    return requests.of(store.due(clock(), limit=_MOST, statuses=["scheduled"]), clock().timestamp())


@dg.sensor(
    job=follow,
    minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests runs that ask platforms what became of what was sent.",
)
def follow_sensor(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    store: dg.ResourceParam[Any],
    clock: dg.ResourceParam[Any],
) -> dg.SensorResult | dg.SkipReason:
    """Request runs that ask after submissions, recover claims of dead workers, and close what ended."""
    due = store.due(clock(), limit=_MOST, statuses=["processing", "completed", "failed"])
    return _Requests(context, settings, follow.name, follow_distributions.name).of(due, clock().timestamp())


class _Requests:
    """The runs of one tick, without the platforms that earlier runs are at."""

    def __init__(self, context: dg.SensorEvaluationContext, settings: Settings, job: str, op: str) -> None:
        self._settings, self._op = settings, op
        self._busy = set(_platforms_of(context.instance, job, op))

    def of(self, due: "Sequence[Due]", now: float) -> dg.SensorResult | dg.SkipReason:
        """Return requests for what is due, each platform's in one run."""
        fresh = [each for each in due if each.platform_id not in self._busy]
        if not fresh:
            return dg.SkipReason(f"{len(due)} due, of platforms that runs are at." if due else "Nothing is due.")
        portions = _portions(fresh)[:RUNS_A_TICK]
        return dg.SensorResult(run_requests=[self._request(portion, now) for portion in portions])

    def _request(self, portion: "Sequence[Due]", now: float) -> dg.RunRequest:
        lease = int(now // self._settings.lease_seconds)
        looks = "\n".join(f"{each.key} {each.at.isoformat()}" for each in portion)
        platforms = sorted({each.platform_id for each in portion})
        config = {"distribution_ids": [each.key for each in portion], "platform_ids": platforms}
        return dg.RunRequest(
            run_key=hashlib.sha256(f"{lease}\n{looks}".encode()).hexdigest()[:32],
            run_config={"ops": {self._op: {"config": config}}},
            tags={"distributions": str(len(portion)), "dagster/max_runtime": str(self._settings.lease_seconds)},
        )


def _portions(due: "Sequence[Due]") -> "list[list[Due]]":
    """Return portions that share no platform: of each the first ones due, small platforms together."""
    platforms: dict[str, list[Due]] = {}
    for each in due:
        platforms.setdefault(each.platform_id, []).append(each)
    portions: list[list[Due]] = []
    for waiting in platforms.values():
        if not portions or len(portions[-1]) + len(waiting[:MOST]) > MOST:
            portions.append([])
        portions[-1] += waiting[:MOST]
    return portions


def _platforms_of(instance: dg.DagsterInstance, job: str, op: str) -> Iterator[str]:
    """Yield the platforms that unfinished runs of a job are at."""
    for run in instance.get_runs(dg.RunsFilter(job_name=job, statuses=_UNFINISHED)):
        ops: Any = run.run_config.get("ops") or {}
        yield from ops.get(op, {}).get("config", {}).get("platform_ids") or ()
