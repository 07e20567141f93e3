"""A writer for the kill and race tests: a fixed sequence of random writes, each named by its number.

A process runs the sequence from some step on and says where it is; whoever killed it knows the sequence, and so what
the store must hold. The model applies the same steps.
"""

import multiprocessing
import random
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from audience_pipeline.storage.contract import Change
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE
from audience_pipeline_tests.storage.builders import (
    JULY,
    JUNE,
    MAY,
    NOW,
    Row,
    audience,
    distribution_of,
    frame,
    json,
    move,
    reference,
    stored,
    uuid,
)
from audience_pipeline_tests.storage.model import Model

USERS = ("ann", "bob/../eve", "c=%d")
MONTHS = (MAY, JUNE, JULY)
KEYS = 36
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])


def home(number: int) -> tuple[str, Any]:
    """Return the user and the moment of creation that a key always has."""
    return USERS[number % len(USERS)], MONTHS[number // len(USERS) % len(MONTHS)]


class Step:
    """One write of the sequence, drawn from its number alone."""

    def __init__(self, number: int) -> None:
        draw = random.Random(number)  # noqa: S311 - a reproducible sequence
        self.number = number
        self.kind = draw.choice(
            ["audiences", "audiences", "distributions", "distributions", "claim", "end", "archive", "restore"]
        )
        chosen = sorted(draw.sample(range(KEYS), draw.randint(1, 10)))
        self.keys = [uuid(each) for each in chosen]
        table = audience_of if self.kind == "audiences" else distribution_at
        self.rows = [table(each, number, draw) for each in chosen]

    def write(self, store: ParquetStore) -> None:
        """Do it; doing it again, or after half of it was done, must lead to the same rows."""
        match self.kind:
            case "audiences":
                store.upsert(AUDIENCES, frame(AUDIENCES, self.rows))
            case "distributions":
                store.upsert(DISTRIBUTIONS, frame(DISTRIBUTIONS, self.rows))
            case "claim":
                self._transition(store, "scheduled", "processing")
            case "end":
                self._transition(store, "processing", "completed")
            case "archive":
                move(store, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, self.keys, {"archived_at": NOW})
            case "restore":
                move(store, DISTRIBUTIONS_ARCHIVE, DISTRIBUTIONS, self.keys, {})

    def apply(self, model: Model) -> None:
        """Apply it to the model."""
        match self.kind:
            case "audiences" | "distributions":
                model.upsert(self.kind, self.rows)
            case "claim":
                model.transition("scheduled", "processing", self.keys, self.number)
            case "end":
                model.transition("processing", "completed", self.keys, self.number)
            case "archive":
                model.archive(self.keys, NOW)
            case "restore":
                model.restore(self.keys)

    def _transition(self, store: ParquetStore, expect: str, put: str) -> None:
        change = {"status": put, "error_details": {"attempt": {"token": str(self.number)}}}
        store.transition(DISTRIBUTIONS, [Change(key, {"status": expect}, change) for key in self.keys])


def audience_of(number: int, step: int, draw: random.Random) -> Row:
    user_id, created = home(number)
    moment = NOW + timedelta(milliseconds=step + draw.randint(-3, 3))
    return audience(number, user_id=user_id, created_at=created, updated_at=moment, name=f"{draw.random()}")


def distribution_at(number: int, step: int, draw: random.Random) -> Row:
    user_id, created = home(number)
    moment = (NOW + timedelta(seconds=step + draw.randint(-3, 3))).isoformat() + "Z"
    metadata = {"approval_status": "pending", "campaign_name": f"{draw.random()}", "updated_at": moment}
    return distribution_of(user_id, number, created_at=created, metadata=json(metadata))


def new_model() -> Model:
    return Model({table.name: table.column_names for table in (AUDIENCES, DISTRIBUTIONS)})


def check_agrees(store: ParquetStore, model: Model) -> None:
    """Hold every row of the store against the model; a key that is twice anywhere is found too."""
    references = {uuid(reference(user_id)) for user_id in USERS}
    found = {key: row for key, row in stored(store, AUDIENCES).items() if key not in references}
    assert found == model.tables["audiences"]
    assert stored(store, DISTRIBUTIONS) == model.tables["distributions"]
    assert stored(store, DISTRIBUTIONS_ARCHIVE) == model.archived
    for table, keys in ((AUDIENCES, found), (DISTRIBUTIONS, model.tables["distributions"])):
        assert store.get(table, list(keys), [table.key]).num_rows == len(keys)


def check_whole(store: ParquetStore, *also: str) -> None:
    """Have the store verified: nothing but leftovers, and what the caller knows of, may be found."""
    assert [finding for finding in store.verify() if not finding.harmless and finding.kind not in also] == []


def run_steps(root: Path, first: int, progress: Connection) -> None:
    """Write step after step, sending each one's number before it begins; ends when killed."""
    with ParquetStore(root, clock=lambda: NOW) as store:
        number = first
        while True:
            progress.send(number)
            Step(number).write(store)
            number += 1


def start(target: Callable[..., None], *arguments: object) -> Any:  # noqa: ANN401 - a process of the context
    """Start a process on a copy of one that has everything imported; it ends with this one."""
    process = PROCESSES.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process
