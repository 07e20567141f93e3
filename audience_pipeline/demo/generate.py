"""The demo's world: as many tenants, audiences and distributions as asked for, the same for the same arguments.

Belongs here: the sizes of a world and the records of its four tables, one at a time, as nested JSON entities. Does not
belong here: how they are written (:mod:`.landing`), or what becomes of them.

Nothing is held: an audience is derived again from its number wherever it is needed, so memory does not grow with size.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import msgspec

from audience_pipeline.demo.audiences import Audiences
from audience_pipeline.demo.distributions import Distributions
from audience_pipeline.demo.moments import Seasons, first_of_months
from audience_pipeline.demo.tenants import Record, Tenants
from audience_pipeline.errors import UsageError

_ROOM = 1000


@dataclass(frozen=True)
class DemoWorld:
    """A seeded world of ``tenants`` that own audiences and distributions, made in the ``months`` up to ``now``.

    Every record obeys the rules landing holds it to at ``now``, so a run over one world refuses nothing, provided the
    store's first month is not after the world's. Platform credentials are plaintext, for a sealer or for
    ``ingest platforms -``, never for a file.

    Raises:
        UsageError: a size is impossible, or ``now`` has no time zone.
    """

    seed: int
    now: datetime
    tenants: int = 50
    audience_count: int = 500
    distribution_count: int = 5_000
    months: int = 24

    def __post_init__(self) -> None:
        """Refuse a world that cannot be."""
        at_least("tenants of the demo world", self.tenants, 1)
        at_least("months of the demo world", self.months, 1)
        at_least("distribution_count of the demo world", self.distribution_count, 0)
        at_least("audience_count of the demo world", self.audience_count, 1 if self.distribution_count else 0)
        if self.now.utcoffset() is None:
            subject = "now of the demo world"
            remedy = "Give it one, for example datetime.now(UTC)."
            raise UsageError(subject, found="a time without a time zone", expected="an aware time", remedy=remedy)

    def users(self) -> Iterator[Record]:
        """Yield one user record a tenant, the largest tenant first."""
        tenants = self._tenants
        return (tenants.user(tenants.at(index), self._quota(index)) for index in range(self.tenants))

    def platforms(self) -> Iterator[Record]:
        """Yield the platform records of all tenants, credentials in plaintext."""
        tenants = self._tenants
        for index in range(self.tenants):
            tenant = tenants.at(index)
            yield from (tenants.platform(tenant, platform) for platform in tenant.platforms)

    def audiences(self) -> Iterator[Record]:
        """Yield ``audience_count`` audience records."""
        return map(self._audiences.record, range(self.audience_count))

    def distributions(self) -> Iterator[Record]:
        """Yield ``distribution_count`` distribution records."""
        sizes = self.distribution_count, self.audience_count
        return Distributions(self.seed, *sizes, self._audiences, self._seasons).records()

    @cached_property
    def _seasons(self) -> Seasons:
        now = self.now.astimezone(UTC)
        return Seasons(first_of_months(now, self.months), now)

    @cached_property
    def _tenants(self) -> Tenants:
        return Tenants(self.seed, self.tenants, self._seasons)

    @cached_property
    def _audiences(self) -> Audiences:
        return Audiences(self.seed, self._tenants, self._seasons)

    def _quota(self, index: int) -> Record:
        """Return limits the tenant keeps even if the whole world lands in one month.

        Twice what it can expect, and room for luck: a chunk's most popular audiences may all be its own.
        """
        share = self._tenants.share(index)
        an_audience = self.distribution_count // max(1, self.audience_count)
        return {
            "max_audiences": _rounded_up(2 * share * self.audience_count),
            "max_distributions_per_month": _rounded_up(2 * share * self.distribution_count + 40 * an_audience),
            "current_usage": None,
        }


def encoded(records: Iterable[Record]) -> Iterator[bytes]:
    """Yield each record as one line of JSON, newline included."""
    encode = msgspec.json.Encoder().encode
    return (encode(record) + b"\n" for record in records)


def at_least(subject: str, found: int, least: int) -> None:
    """Refuse a number that is too small, as a UsageError about ``subject``."""
    if found < least:
        remedy = "Give a larger number."
        raise UsageError(subject, found=str(found), expected=f"at least {least}", remedy=remedy)


def _rounded_up(expected: float) -> int:
    """Return the next plan a vendor would sell: 1,000 times a power of ten."""
    limit = _ROOM
    while limit < expected + _ROOM / 2:
        limit *= 10
    return limit
