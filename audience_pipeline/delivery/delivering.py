"""One delivery: what is due is followed up, or sent, in batches.

Belongs here: portions, and their order. Does not belong here: what is done with each distribution, or what is due.
"""

from collections.abc import Iterator, Sequence

from audience_pipeline.delivery.engine import Engine, Report, report_of
from audience_pipeline.delivery.following import follow
from audience_pipeline.delivery.sending import send
from audience_pipeline.storage.contract import Due

BATCH = 100
"""Distributions that are claimed, and recorded, together."""
SCHEDULED = "scheduled"


def deliver(engine: Engine, due: Sequence[Due]) -> Iterator[list[Report]]:
    """Follow up and send what is due; yield what became of each that was touched, batch by batch.

    What was sent before comes first, since only that tells whether a claim whose worker is gone may be sent again.
    Of distributions that somebody else took meanwhile, nothing is reported.
    """
    for keys in _batches([each.key for each in due if each.status != SCHEDULED]):
        yield [report_of(step) for step in follow(engine, keys)]
    for keys in _batches([each.key for each in due if each.status == SCHEDULED]):
        yield [report_of(step) for step in send(engine, keys)]


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))
