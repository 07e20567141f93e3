"""The lifecycle against a model: whatever happens in whatever order, each is sent once, and only as approved.

The platform here keeps whatever it is sent, however often, so a second sending would be seen; workers die between any
two of their steps; people approve, reject, edit and retry in between.
"""

import random
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from audience_pipeline.delivery.approval import Decision, decide
from audience_pipeline.delivery.engine import Engine
from audience_pipeline.delivery.lifecycle import By
from audience_pipeline.delivery.retrying import retry
from audience_pipeline.settings import Settings
from audience_pipeline.storage.contract import Change
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import DISTRIBUTION_EVENTS, DISTRIBUTIONS, PLATFORMS
from audience_pipeline_tests.delivery.scripted import MOODS, Scripted
from audience_pipeline_tests.delivery.world import Clock, asked, details, fill, keyset, run
from audience_pipeline_tests.storage.builders import frame, one, uuid

NUMBERS = (1, 2, 3)
NUMBER, MINUTES = st.sampled_from(NUMBERS), st.sampled_from([1, 16, 90])
LEGAL = {
    ("scheduled", "scheduled"),
    ("scheduled", "processing"),
    ("scheduled", "failed"),
    ("processing", "processing"),
    ("processing", "completed"),
    ("processing", "failed"),
    ("processing", "scheduled"),
    ("failed", "scheduled"),
}


class Killed(BaseException):
    """Stands for a process that is gone."""


class Dying(Engine):
    """A worker that dies at one of its steps."""

    def __init__(self, *arguments: Any, steps: int) -> None:  # noqa: ANN401 - as the engine
        super().__init__(*arguments)
        object.__setattr__(self, "left", steps)

    def _step(self) -> None:
        left: int = self.__dict__["left"]
        object.__setattr__(self, "left", left - 1)
        if left == 0:
            raise Killed

    def take(self, steps: Any) -> Any:  # noqa: ANN401 - as the engine
        self._step()
        return super().take(steps)

    def tell(self, rows: Any) -> None:  # noqa: ANN401 - as the engine
        self._step()
        super().tell(rows)

    def reached(self, platforms: Any) -> None:  # noqa: ANN401 - as the engine
        self._step()
        super().reached(platforms)


class Lifecycle(RuleBasedStateMachine):
    """The model: what was approved of each distribution as it stands, and how often somebody had it sent again."""

    @initialize()
    def open(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.clock, self.platform = Clock(), Scripted()
        self.store = ParquetStore(Path(self.directory.name) / "data", clock=self.clock)
        fill(self.store, *NUMBERS)
        self.approved: dict[int, str | None] = dict.fromkeys(NUMBERS)
        self.content: dict[int, str] = dict.fromkeys(NUMBERS, "both")
        self.resends: Counter[int] = Counter()
        for number in NUMBERS[:2]:
            self.somebody_decides(number, "approved")

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()

    def engine(self, steps: int) -> Engine:
        chance = random.Random(1)  # noqa: S311 - for repeatable tests
        parts: tuple[Any, ...] = (self.store, Settings(), self.platform, keyset, self.clock, "worker", None, chance)
        return Dying(*parts, steps=steps)

    @rule(minutes=MINUTES, mood=st.sampled_from(MOODS))
    def deliver(self, minutes: int, mood: str) -> None:
        self.delivered(minutes, mood, -1)

    @rule(minutes=MINUTES, mood=st.sampled_from(MOODS), steps=st.integers(0, 12))
    def deliver_and_die(self, minutes: int, mood: str, steps: int) -> None:
        self.delivered(minutes, mood, steps)

    def delivered(self, minutes: int, mood: str, steps: int) -> None:
        self.clock.forward(minutes=minutes)
        self.platform.mood = mood
        before = {key: len(sent) for key, sent in self.platform.taken.items()}
        may = {number for number in NUMBERS if self.approved[number] == self.content[number]}
        with suppress(Killed):
            run(self.engine(steps))
        fresh = {key for key, sent in self.platform.taken.items() if len(sent) > before.get(key, 0)}
        assert {key.partition(".")[0] for key in fresh} <= {uuid(number) for number in may}

    @rule(number=NUMBER, verdict=st.sampled_from(["approved", "approved", "rejected"]))
    def decide(self, number: int, verdict: Any) -> None:  # noqa: ANN401 - a verdict
        self.somebody_decides(number, verdict)

    def somebody_decides(self, number: int, verdict: Any) -> None:  # noqa: ANN401 - a verdict
        (found,) = decide(self.store, [uuid(number)], Decision(verdict, "anna", "why"), now=self.clock(), days=30)
        if found.outcome == "approved":
            self.approved[number] = self.content[number]
        if found.outcome == "rejected":
            self.approved[number] = None

    @rule(number=NUMBER, content=st.sampled_from(["both", "one"]))
    def the_application_edits(self, number: int, content: str) -> None:
        row = asked(number, segments_distributed=["s1", "s2"] if content == "both" else ["s1"])
        result = self.store.upsert(DISTRIBUTIONS, frame(DISTRIBUTIONS, [row]))
        if not result.refused:
            self.content[number] = content

    @rule(number=NUMBER, resend=st.booleans())
    def an_operator_retries(self, number: int, resend: bool) -> None:
        code = details(self.store, number).get("error_code")
        (found,) = retry(self.store, [uuid(number)], By(self.clock(), "anna"), resend=resend)
        if found.outcome == "scheduled":
            self.resends[number] += 1
            if code in {"approval_rejected", "approval_expired"}:
                self.approved[number] = None

    @rule()
    def the_platform_lands_with_other_credentials(self) -> None:
        self.store.transition(PLATFORMS, [Change(uuid(1), {}, {"sync_status": "pending"})])

    @invariant()
    def each_key_is_taken_once(self) -> None:
        assert {key: len(sent) for key, sent in self.platform.taken.items() if len(sent) > 1} == {}

    @invariant()
    def only_what_was_sent_again_on_purpose_is_there_more_than_once(self) -> None:
        sent = Counter(key.partition(".")[0] for key in self.platform.taken)
        for number in NUMBERS:
            assert sent[uuid(number)] <= 1 + self.resends[number]

    @invariant()
    def what_completed_is_there(self) -> None:
        for number in NUMBERS:
            row, found = one(self.store, DISTRIBUTIONS, number), details(self.store, number)
            if row["status"] == "completed":
                assert f"{uuid(number)}.{found['attempt'].get('generation', 0)}" in self.platform.taken
            if row["status"] == "failed":
                assert found["error_code"]

    @invariant()
    def every_event_is_a_legal_step(self) -> None:
        events = self.store.read(DISTRIBUTION_EVENTS).to_pylist()
        assert {(event["from_status"], event["to_status"]) for event in events} <= LEGAL


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)


class LongLifecycle(Lifecycle):
    """The same for many more orders of things."""


TestLongLifecycle = pytest.mark.prove(LongLifecycle.TestCase)
TestLongLifecycle.settings = settings(TestLifecycle.settings, max_examples=200, stateful_step_count=40)
