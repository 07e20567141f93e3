"""A store with old distributions, and short ways to archive and restore them at a moment of one's own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from audience_pipeline.retention.archiving import Moved, archive
from audience_pipeline.retention.batches import Damage
from audience_pipeline.retention.restoring import Restore, Restored
from audience_pipeline.retention.verifying import verify
from audience_pipeline.settings import Settings, load_settings
from audience_pipeline.storage.contract import Change, Finding, TableStore
from audience_pipeline.tables import ARCHIVE_MANIFEST, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE
from audience_pipeline_tests.storage.builders import Row, distribution_of, put, put_references, stored, uuid

NOW = datetime(2025, 8, 1, 12, tzinfo=UTC)
ANN, BOB = "ann", "bob/../eve"


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass
class Attic:
    """One store, and what retention does to it."""

    store: TableStore
    clock: Clock
    settings: Settings = field(default_factory=load_settings)
    damaged: list[Damage] = field(default_factory=list)

    def put(self, *rows: Row) -> None:
        put_references(self.store, *{row["user_id"] for row in rows})
        put(self.store, DISTRIBUTIONS, *rows)

    def archive(self, **options: Any) -> Moved:  # noqa: ANN401 - options of archive
        """Run once; return the sums over all months."""
        total = Moved(0)
        self.damaged = []
        for progress in archive(self.store, self.settings, self.clock, "test", **options):
            self.damaged += progress.damaged
            for each in progress.moved:
                total = total + each
        return total

    def through(self) -> None:
        """Archive all the way: copy, wait for the readers, remove."""
        self.archive()
        self.clock.pass_by(minutes=61)
        self.archive()

    def restore(self, *numbers: int, until: datetime | None = None) -> list[Restored]:
        return self.restoring(until).keys([uuid(number) for number in numbers])

    def restoring(self, until: datetime | None = None) -> Restore:
        return Restore(self.store, self.clock, "test", until or self.clock.now + timedelta(days=30))

    def fail_again(self, number: int, status: str = "scheduled") -> None:
        change = Change(uuid(number), {"status": "failed"}, {"status": status})
        assert self.store.transition(DISTRIBUTIONS, [change]).won

    @property
    def live(self) -> set[str]:
        return set(stored(self.store, DISTRIBUTIONS))

    @property
    def archived(self) -> set[str]:
        return set(stored(self.store, DISTRIBUTIONS_ARCHIVE))

    @property
    def steps(self) -> list[tuple[str, str, int]]:
        """What the manifest says: step, user and rows, in order."""
        rows = stored(self.store, ARCHIVE_MANIFEST).values()
        return [
            (row["step"], row["user_id"], row["row_count"]) for row in sorted(rows, key=lambda each: each["created_at"])
        ]

    def verified(self, *, repair: bool = False) -> list[Finding]:
        found = [*self.store.verify(repair=repair), *verify(self.store, self.clock, repair=repair)]
        return [each for each in found if not each.harmless]


def ended(number: int, age: timedelta = timedelta(days=100), user: str = ANN, **changes: Any) -> Row:  # noqa: ANN401 - any column
    """Return a distribution that failed, asked for so long before now."""
    created = (NOW - age).replace(tzinfo=None)
    return distribution_of(user, number, **{"created_at": created, "status": "failed", **changes})


def ids(*numbers: int) -> set[str]:
    return {uuid(number) for number in numbers}


def outcomes(restored: Sequence[Restored]) -> dict[str, str]:
    return {each.distribution_id: each.outcome for each in restored}
