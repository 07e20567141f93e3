"""What everything that delivers shares: the store, the platforms, the clock, and who it is.

Belongs here: making steps and journalling them. Does not belong here: deciding on steps, or asking platforms.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from audience_pipeline.delivery.cases import PAUSED
from audience_pipeline.delivery.connectors.contract import OpenedCredentials
from audience_pipeline.delivery.connectors.limits import RateLimits
from audience_pipeline.delivery.connectors.registry import Connectors
from audience_pipeline.delivery.distribution import Distribution, Row, by_key
from audience_pipeline.delivery.journal import Event, append, events_of
from audience_pipeline.delivery.lifecycle import By, Step
from audience_pipeline.errors import RefusedError
from audience_pipeline.security import Keyset, open_credentials
from audience_pipeline.settings import Settings
from audience_pipeline.storage.contract import Change, TableStore
from audience_pipeline.tables import DISTRIBUTIONS, PLATFORMS
from audience_pipeline.tables.shapes import utc_millis

_LONGEST_RETRY, _LONGEST_POLL = 3600.0, 1800.0
_ENOUGH = 30
"""Doublings after which every wait is at its longest."""


@dataclass(frozen=True)
class Engine:
    """One worker's means; threads may share it for asking platforms, not for making steps.

    ``keyset`` gives the keyset as it is now, each time credentials are opened. ``limits`` None sends as fast as it can.
    """

    store: TableStore
    settings: Settings
    connectors: Connectors
    keyset: Callable[[], Keyset]
    clock: Callable[[], datetime]
    actor: str
    limits: RateLimits | None = field(default_factory=RateLimits)
    chance: random.Random = field(default_factory=random.Random)
    _told: set[str] = field(default_factory=set)

    def by(self) -> By:
        """Return now, and this worker."""
        return By(self.clock(), self.actor)

    def take(self, steps: Iterable[Step]) -> list[Step]:
        """Make steps, at most one a distribution, and return those that were made: of others somebody was faster.

        The journal is told of what the rows said before, for whoever could not, and of what was done.
        """
        steps = list(steps)
        won = set(self.store.transition(DISTRIBUTIONS, [step.change for step in steps]).won) if steps else set()
        made = [step for step in steps if step.before.id in won]
        late = self._archived(step for step in steps if step.before.id not in won)
        self.tell(row for step in [*made, *late] for row in (step.before, step.after))
        return made

    def _archived(self, steps: Iterable[Step]) -> list[Step]:
        """Return the steps that came too late for their rows, which are archived: only the journal is told of them."""
        lost = {step.before.id: step for step in steps}
        places = self.store.placements(DISTRIBUTIONS, list(lost)) if lost else {}
        return [step for key, step in lost.items() if key in places and places[key].archived]

    def tell(self, rows: Iterable[Distribution]) -> None:
        """Append the events of rows as they are; those this worker appended before are left out."""
        fresh: dict[str, Event] = {}
        for row in rows:
            fresh |= {event.id: event for event in events_of(row) if event.id not in self._told}
        append(self.store, fresh.values())
        self._told.update(fresh)

    def credentials(self, platform: Row) -> OpenedCredentials:
        """Return a platform's credentials, opened.

        A key rotation may reseal and retire between reading the row and reading the keyset, so a row that does not open
        is read once more.

        Raises:
            RefusedError: they are not sealed for it under an enabled key.
        """
        try:
            return self._opened(platform)
        except RefusedError:
            now = by_key(self.store, PLATFORMS, [platform["platform_id"]]).get(platform["platform_id"])
            if now is None or now["credentials"] == platform["credentials"]:
                raise
            return self._opened(now)

    def _opened(self, platform: Row) -> OpenedCredentials:
        sealed = msgspec.json.decode(platform["credentials"] or "{}")
        owner = {"user_id": platform["user_id"], "platform_id": platform["platform_id"]}
        secrets = open_credentials(sealed, **owner, keyset=self.keyset()) if sealed else {}
        return OpenedCredentials(sealed.get("account_id"), **secrets)

    def reached(self, platforms: Mapping[str, bool]) -> None:
        """Note of platforms, by id, that they answered, or (False) that they do not accept their credentials."""
        changes = []
        for key, row in by_key(self.store, PLATFORMS, platforms).items():
            status = "success" if platforms[key] else PAUSED
            if status == row["sync_status"] == PAUSED or (status != PAUSED and row["sync_status"] == PAUSED):
                continue
            put = {"last_sync": utc_millis(self.clock()), "sync_status": status}
            changes.append(Change(key, {"sync_status": row["sync_status"]}, put))
        if changes:
            self.store.transition(PLATFORMS, changes)

    def retry_at(self, tries: int, wait: float | None = None) -> datetime:
        """Return when to try again after ``tries`` failures: exponentially later, with jitter, or when asked to."""
        longest = _doubled(self.settings.retry_seconds, tries, _LONGEST_RETRY) * self.chance.uniform(0.5, 1)
        return self.clock() + timedelta(seconds=max(longest, wait or 0))

    def poll_at(self, polls: int, wait: float | None = None) -> datetime:
        """Return when to ask again about a submission that was asked about ``polls`` times."""
        delay = _doubled(self.settings.poll_seconds, polls, _LONGEST_POLL)
        return self.clock() + timedelta(seconds=max(delay, wait or 0))

    def look_at(self) -> datetime:
        """Return when to examine a held distribution again."""
        return self.clock() + timedelta(seconds=self.settings.hold_seconds)

    def lease_until(self) -> datetime:
        """Return until when a claim made now holds."""
        return self.clock() + timedelta(seconds=self.settings.lease_seconds)

    def has_time(self, until: datetime) -> bool:
        """Return whether a call that begins now ends before a lease does."""
        return (until - self.clock()).total_seconds() > self.settings.platform_timeout_seconds


def _doubled(seconds: float, times: int, longest: float) -> float:
    return min(seconds * (1 << min(times, _ENOUGH)), longest)


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one distribution in a delivery; ``note`` is for people.

    ``month`` is where its row lies. ``changed`` is False where it is as it was, but for when it is looked at next.
    """

    distribution_id: str
    outcome: str
    note: str
    month: int
    changed: bool = True


def report_of(step: Step) -> Report:
    """Return what a step that was made means."""
    details = step.after.details
    outcome = "held" if details.hold else step.after.status
    return Report(step.after.id, outcome, _note(step), step.after.month, bool(step.reason))


def _note(step: Step) -> str:
    details, attempt = step.after.details, step.after.attempt
    if details.hold:
        return f"{details.hold}: {details.error_message}"
    if step.after.status == "scheduled" and details.next_attempt_at:
        return f"{details.error_code}, again at {details.next_attempt_at:%Y-%m-%dT%H:%M:%SZ}: {details.error_message}"
    if details.error_message:
        return f"{details.error_code}: {details.error_message}"
    if step.after.status == "processing" and attempt.reference:
        return f"taken as {attempt.reference}"
    return step.after.results.outcome or step.reason
