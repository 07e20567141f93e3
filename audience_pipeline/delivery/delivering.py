"""One delivery: what is due is followed up, or sent, in batches.

Belongs here: portions, and their order. Does not belong here: what is done with each distribution, or what is due.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from audience_pipeline.delivery.engine import Engine, Report, report_of
from audience_pipeline.delivery.following import follow
from audience_pipeline.delivery.lifecycle import Step
from audience_pipeline.delivery.sending import send
from audience_pipeline.storage.contract import Due

Work: TypeAlias = Callable[[Engine, Sequence[str]], list[Step]]
BATCH = 100
"""Distributions that are claimed, and recorded, together."""


def deliver(engine: Engine, due: Sequence[Due]) -> Iterator[list[Report]]:
    """Follow up and send what is due; yield what became of each that was touched, batch by batch.

    What was sent before comes first, since only that tells whether a claim whose worker is gone may be sent again.
    Of distributions that somebody else took meanwhile, nothing is reported.
    """
    yield from in_batches(follow, engine, [each.key for each in due if each.status != "scheduled"])
    yield from in_batches(send, engine, [each.key for each in due if each.status == "scheduled"])


def in_batches(work: Work, engine: Engine, keys: Sequence[str]) -> Iterator[list[Report]]:
    """Do one kind of work for distributions; yield what became of each that was touched, batch by batch."""
    for start in range(0, len(keys), BATCH):
        yield [report_of(step) for step in work(engine, keys[start : start + BATCH])]
