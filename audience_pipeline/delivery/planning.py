"""What a delivery would do, without doing it: what would be sent, to whom, at what cost, and what is held and why.

Belongs here: the plan as rows for people. Does not belong here: any write, or any call to a platform.
"""

from dataclasses import dataclass
from datetime import datetime

from audience_pipeline.delivery.cases import Case, cases_of, distributions
from audience_pipeline.delivery.connectors.registry import Connectors
from audience_pipeline.delivery.judging import Judge, Ready
from audience_pipeline.delivery.permission import Refusal
from audience_pipeline.ingest.quarantine import Quarantine
from audience_pipeline.settings import Settings
from audience_pipeline.storage.contract import TableStore

_PORTION = 1_000


@dataclass(frozen=True, slots=True)
class Planned:
    """One distribution of a plan: what would become of it, ``sent``, ``held``, ``failed`` or ``asked`` after.

    ``cost`` is the connector's estimate in ``currency``; null where nobody can tell. ``members`` counts those of all
    segments sent, which may overlap.
    """

    distribution_id: str
    user_id: str
    audience: str | None
    platform: str | None
    account: str | None
    type: str | None
    outcome: str
    segments: int | None = None
    members: int | None = None
    cost: float | None = None
    currency: str | None = None
    why: str | None = None


def plan(
    store: TableStore, settings: Settings, connectors: Connectors, now: datetime, *, limit: int = 1_000_000
) -> list[Planned]:
    """Return what a delivery at ``now`` would do, those due longest first."""
    keys = [each.key for each in store.due(now, limit=limit, held=True)]
    judge = Judge(settings, connectors, now)
    planned: list[Planned] = []
    for start in range(0, len(keys), _PORTION):
        rows = distributions(store, keys[start : start + _PORTION])
        cases = cases_of(store, rows, Quarantine(settings.quarantine_dir))
        planned += [_planned(case, judge) for case in cases if case.distribution.status in {"scheduled", "processing"}]
    return planned


def _planned(case: Case, judge: Judge) -> Planned:
    if case.distribution.status == "processing":
        return _named(case, "asked", why="it was sent, or is being sent: the platform is asked what became of it")
    judgement = judge(case)
    if isinstance(judgement, Ready):
        return _sent(case, judgement)
    if isinstance(judgement, Refusal):
        return _named(case, "failed", why=f"{judgement.code}: {judgement.message}")
    return _named(case, "held", why=f"{judgement.reason}: {judgement.detail}")


def _sent(case: Case, ready: Ready) -> Planned:
    prepared = ready.prepared
    cost = prepared.cost
    return _named(
        case,
        "sent",
        segments=len(prepared.included),
        members=sum(each.size for each in prepared.segments if each.segment_id in set(prepared.included)),
        cost=cost.amount if cost else None,
        currency=cost.currency if cost else None,
        why=None if prepared.included else "nothing changed since it was sent last",
    )


def _named(case: Case, outcome: str, **known: float | str | None) -> Planned:
    row, audience, platform = case.distribution.row, case.audience, case.platform
    return Planned(
        distribution_id=row["distribution_id"],
        user_id=row["user_id"],
        audience=audience["name"] if audience else None,
        platform=f"{platform['name']} ({platform['platform_type']})" if platform else None,
        account=case.content.account_id if audience and platform else None,
        type=row["distribution_type"],
        outcome=outcome,
        **known,  # type: ignore[arg-type]
    )
