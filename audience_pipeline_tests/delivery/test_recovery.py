"""Workers that die, lose their lease, or race: nothing is sent twice, and nothing stays behind."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audience_pipeline.delivery.distribution import Distribution, by_key
from audience_pipeline.delivery.engine import Engine
from audience_pipeline.delivery.lifecycle import failed
from audience_pipeline.settings import Settings
from audience_pipeline.storage.contract import Change, TableStore
from audience_pipeline.tables import DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE
from audience_pipeline_tests.delivery.scripted import Scripted
from audience_pipeline_tests.delivery.world import (
    Clock,
    approve,
    asked,
    details,
    fill,
    history,
    keyset,
    run,
    status,
    worker,
)
from audience_pipeline_tests.sandbox_process import Sandbox
from audience_pipeline_tests.storage.builders import NOW, move, put, stored, uuid

COMPLETED = [
    ("scheduled", "scheduled", "approved"),
    ("scheduled", "processing", "claimed"),
    ("processing", "processing", "accepted"),
    ("processing", "completed", "delivered"),
]


class Killed(BaseException):
    """Stands for a process that is gone: nothing catches it."""


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Return what has a worker die at a step: the n-th call of a method of the engine, before or after it."""

    def die(method: str, call: int) -> None:
        original: Callable[..., Any] = getattr(Engine, method)
        calls = iter(range(1, 1000))

        def once(self: Engine, *arguments: Any) -> Any:  # noqa: ANN401 - as the method
            if next(calls) == call:
                monkeypatch.setattr(Engine, method, original)
                raise Killed
            return original(self, *arguments)

        monkeypatch.setattr(Engine, method, once)

    return die


def finish(engine: Engine, clock: Clock) -> None:
    for _ in range(6):
        clock.forward(hours=1)
        run(engine)


MOMENTS = {
    "before the claim": ("take", 1),
    "between the claim and its event": ("tell", 1),
    "between the claim and the call": ("has_time", 1),
    "between the platform's answer and the record of it": ("reached", 1),
    "between that record and its event": ("tell", 2),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_that_dies_at_any_step_is_replaced_and_the_platform_gets_it_once(
    on_files: Engine, sandbox: Sandbox, clock: Clock, dying: Callable[[str, int], None], moment: str
) -> None:
    approve(on_files.store)
    dying(*MOMENTS[moment])
    with pytest.raises(Killed):
        run(on_files)
    with worker(on_files.store, sandbox.url, clock) as other:
        finish(other, clock)
    assert status(on_files.store) == "completed"
    assert [each["requests"] for each in sandbox.audiences()] == [1]
    events = history(on_files.store)
    assert events[0] == COMPLETED[0]
    assert events[-1] == COMPLETED[-1]
    assert set(COMPLETED) <= set(events)


def test_a_claim_is_left_alone_until_half_a_lease_after_its_end(
    on_files: Engine, sandbox: Sandbox, clock: Clock, dying: Callable[[str, int], None]
) -> None:
    approve(on_files.store)
    dying("has_time", 1)
    with pytest.raises(Killed):
        run(on_files)
    clock.forward(seconds=on_files.settings.lease_seconds * 1.4)
    assert run(on_files) == {}
    clock.forward(seconds=on_files.settings.lease_seconds * 0.2)
    assert run(on_files)[uuid(1)].outcome == "scheduled"
    assert details(on_files.store)["error_code"] == "lease_expired"
    assert sandbox.audiences() == []


def test_a_worker_that_was_replaced_cannot_write_its_answer(
    engine: Engine, sandbox: Sandbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve(engine.store)
    reached = Engine.reached

    def slow(self: Engine, platforms: dict[str, bool]) -> None:
        """Take two leases' time before the answer is recorded; meanwhile the other worker takes over."""
        monkeypatch.setattr(Engine, "reached", reached)
        clock.forward(seconds=1200)
        with worker(engine.store, sandbox.url, clock) as other:
            assert run(other)[uuid(1)].outcome == "processing"
        reached(self, platforms)

    monkeypatch.setattr(Engine, "reached", slow)
    run(engine)
    assert history(engine.store).count(("processing", "processing", "accepted")) == 1
    clock.forward(minutes=5)
    run(engine)
    assert status(engine.store) == "completed"
    assert [each["requests"] for each in sandbox.audiences()] == [1]


def test_an_event_lost_to_a_kill_is_added_by_the_last_look(
    on_files: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve(on_files.store)
    run(on_files)
    clock.forward(minutes=1)
    tell = Engine.tell
    monkeypatch.setattr(Engine, "tell", lambda *_: None)
    run(on_files)
    assert status(on_files.store) == "completed"
    assert COMPLETED[-1] not in history(on_files.store)
    monkeypatch.setattr(Engine, "tell", tell)
    clock.forward(hours=1)
    run(on_files)
    assert history(on_files.store) == COMPLETED


def test_workers_that_race_send_each_once(on_files: Engine, sandbox: Sandbox, clock: Clock) -> None:
    store, numbers = on_files.store, range(1, 41)
    put(store, DISTRIBUTIONS, *(asked(number) for number in numbers))
    approve(store, *numbers)
    barrier = threading.Barrier(4)

    def work() -> None:
        with worker(store, sandbox.url, clock) as mine:
            barrier.wait()
            run(mine)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock.forward(minutes=1)
    run(on_files)
    assert {status(store, number) for number in numbers} == {"completed"}
    assert sorted(each["requests"] for each in sandbox.audiences()) == [1] * 40
    assert history(store, 7) == COMPLETED


def test_a_clock_that_is_minutes_ahead_takes_nothing_over(
    on_files: Engine, sandbox: Sandbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two workers whose clocks disagree by four minutes, the one ahead leaves the other's live claims alone."""
    store, ahead = on_files.store, Clock(clock() + timedelta(minutes=4))
    approve(store)
    reached = Engine.reached

    def meanwhile(self: Engine, platforms: dict[str, bool]) -> None:
        monkeypatch.setattr(Engine, "reached", reached)
        ahead.forward(seconds=on_files.settings.lease_seconds)
        with worker(store, sandbox.url, ahead) as other:
            assert run(other) == {}
        reached(self, platforms)

    monkeypatch.setattr(Engine, "reached", meanwhile)
    assert run(on_files)[uuid(1)].outcome == "processing"


def test_content_that_changes_between_the_look_and_the_claim_is_not_sent(
    on_files: Engine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = on_files.store
    approve(store)
    take = Engine.take

    def edited(self: Engine, steps: Any) -> Any:  # noqa: ANN401 - as the method
        monkeypatch.setattr(Engine, "take", take)
        steps = list(steps)
        put(store, DISTRIBUTIONS, asked(segments_distributed=["s2"]))
        return take(self, steps)

    monkeypatch.setattr(Engine, "take", edited)
    assert run(on_files) == {}
    assert sandbox.audiences() == []
    assert run(on_files)[uuid(1)].note.startswith("approval_void")


def test_only_the_holder_of_the_token_completes(on_files: Engine, clock: Clock) -> None:
    approve(on_files.store)
    run(on_files)
    changed = {**details(on_files.store), "attempt": {**details(on_files.store)["attempt"], "token": "other"}}
    clock.forward(minutes=1)
    taken = Engine.take

    def overtaken(self: Engine, steps: Any) -> Any:  # noqa: ANN401 - as the method
        steps = list(steps)
        on_files.store.transition(DISTRIBUTIONS, [Change(uuid(1), {}, {"error_details": changed})])
        return taken(self, steps)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "take", overtaken)
        assert run(on_files) == {}
    assert status(on_files.store) == "processing"


def test_a_call_that_takes_longer_than_expected_keeps_its_lease(parquet: TableStore) -> None:
    """The lease is three seconds, the call takes longer than a third of it; nobody may take it over meanwhile."""
    approve(fill(parquet), at=datetime.now(UTC))
    settings = Settings(lease_seconds=3, platform_timeout_seconds=1)
    slow: Any = Scripted(seconds=2.5)
    engine = Engine(parquet, settings, slow, keyset, lambda: datetime.now(UTC), "tester", None)
    leases: list[datetime] = []

    def watch() -> None:
        for _ in range(25):
            time.sleep(0.1)
            if lease := details(parquet)["attempt"].get("lease_until"):
                leases.append(datetime.fromisoformat(lease))

    watcher = threading.Thread(target=watch)
    started = datetime.now(UTC)
    watcher.start()
    assert run(engine)[uuid(1)].outcome == "processing"
    watcher.join()
    assert len(set(leases)) >= 2
    assert max(leases) > started + timedelta(seconds=4)
    assert slow.calls == 1


def test_a_result_that_comes_when_the_row_is_archived_is_an_event_and_changes_nothing(engine: Engine) -> None:
    store = engine.store
    row = by_key(store, DISTRIBUTIONS, [uuid(1)])[uuid(1)]
    attempt = '{"attempt":{"number":1,"token":"t"}}'
    late = failed(
        Distribution({**row, "status": "processing", "error_details": attempt}),
        "denied",
        "the platform said no, at last",
        engine.by(),
    )
    store.transition(DISTRIBUTIONS, [Change(uuid(1), {"status": "scheduled"}, {"status": "failed"})])
    move(store, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, [uuid(1)], {"archived_at": NOW})
    archived = stored(store, DISTRIBUTIONS_ARCHIVE)
    assert engine.take([late]) == []
    assert stored(store, DISTRIBUTIONS_ARCHIVE) == archived
    assert ("processing", "failed", "denied") in history(store)
