"""The tenants of the demo, and their user and platform records.

Belongs here: who the tenants are, how large each is, which platforms each has, and the two records that say so. Sizes
follow Zipf's law: tenant k (from 1) is about 1/k as large as the first. Does not belong here: what tenants make.
"""

from functools import lru_cache
from math import log
from random import Random
from typing import Any, NamedTuple

from audience_pipeline.demo import names
from audience_pipeline.demo.draws import Weighted, pick, stream, uuid4, whole
from audience_pipeline.demo.moments import DAY_MS, Seasons, to_text

Record = dict[str, Any]

PLATFORM_TYPES = ("the_trade_desk", "google_ads", "facebook", "amazon_dsp", "linkedin_ads", "tiktok_ads")
MATCH_RATES = dict(zip(PLATFORM_TYPES, (0.62, 0.48, 0.57, 0.52, 0.31, 0.42), strict=True))
"""What share of an audience each type of platform finds, on average, in the demo."""

_TITLES = ("The Trade Desk", "Google Ads", "Facebook", "Amazon DSP", "LinkedIn Ads", "TikTok Ads")
_PURPOSES = ("brand", "performance", "retail media", "always-on")
_CONFIGURATIONS: dict[str, tuple[str, ...]] = {
    "the_trade_desk": ("partner_id", "data_provider_id"),
    "google_ads": ("login_customer_id", "refresh_token"),
    "facebook": ("business_id", "app_secret"),
    "amazon_dsp": ("profile_id", "client_secret"),
    "linkedin_ads": ("organization_id", "client_secret"),
    "tiktok_ads": ("business_center_id", "app_secret"),
}
_ACTIVE = Weighted({"active": 0.88, "inactive": 0.12})
_SYNC = Weighted({"success": 0.86, "pending": 0.1, "failed": 0.04})
_FREQUENCY = Weighted({"daily": 0.3, "weekly": 0.5, "monthly": 0.2})
_CACHED_TENANTS = 4096


class Platform(NamedTuple):
    """What others need to know of a platform."""

    platform_id: str
    kind: str
    created: int


class Tenant(NamedTuple):
    """What others need to know of a tenant: its rank by size, from 0; its platforms were all set up by ``settled``."""

    rank: int
    user_id: str
    joined: int
    settled: int
    platforms: tuple[Platform, ...]


class Tenants:
    """The tenants of one world, each derived from the seed and its rank when it is asked for."""

    def __init__(self, seed: int, count: int, seasons: Seasons) -> None:
        self._seed, self._count, self._seasons = seed, count, seasons
        self.at = lru_cache(_CACHED_TENANTS)(self._derive)

    def pick(self, rng: Random) -> Tenant:
        """Return a tenant, the first one most likely."""
        return self.at(min(int((self._count + 1) ** rng.random()), self._count) - 1)

    def share(self, index: int) -> float:
        """Return what part of all audiences a tenant can expect to own."""
        return log((index + 2) / (index + 1)) / log(self._count + 1)

    def user(self, tenant: Tenant, quota: Record) -> Record:
        """Return the tenant's user record."""
        rng = stream(self._seed, "user", tenant.rank)
        organization = f"{pick(rng, names.ORGANIZATION_FIRST)} {pick(rng, names.ORGANIZATION_SECOND)}"
        domain = organization.lower().replace(" & ", "-").replace(" ", "-")
        return {
            "user_id": tenant.user_id,
            "email": f"{pick(rng, names.MAILBOXES)}@{domain}-{tenant.rank + 1}.example",
            "organization": organization,
            "created_at": to_text(tenant.joined),
            "last_login": to_text(_between(tenant.joined, self._seasons.now, 1 - rng.random() ** 4)),
            "permissions": list(names.PERMISSIONS[: whole(rng, 3, len(names.PERMISSIONS))]),
            "quota": quota,
        }

    def platform(self, tenant: Tenant, platform: Platform) -> Record:
        """Return one platform record, its credentials in plaintext."""
        rng = stream(self._seed, "platform", platform.platform_id)
        title = _TITLES[PLATFORM_TYPES.index(platform.kind)]
        updated = _between(platform.created, self._seasons.now, rng.random() ** 2)
        sync = _SYNC.pick(rng)
        return {
            "platform_id": platform.platform_id,
            "user_id": tenant.user_id,
            "platform_type": platform.kind,
            "name": f"{title} - {pick(rng, _PURPOSES)}",
            "created_at": to_text(platform.created),
            "updated_at": to_text(updated),
            "status": _ACTIVE.pick(rng) if platform is not tenant.platforms[0] else "active",
            "credentials": _credentials(rng, platform.kind),
            "settings": {
                "default_match_rate": MATCH_RATES[platform.kind],
                "auto_refresh": rng.random() < 2 / 3,
                "refresh_frequency": _FREQUENCY.pick(rng),
            },
            "last_sync": None if sync == "pending" else to_text(_between(updated, self._seasons.now, rng.random())),
            "sync_status": sync,
        }

    def _derive(self, index: int) -> Tenant:
        rng = stream(self._seed, "tenant", index)
        start, now = self._seasons.start, self._seasons.now
        early = rng.random() < 2 / 3
        joined = start - whole(rng, 1, 365 * DAY_MS) if early else _between(start, now, rng.random() / 2)
        settled = _between(joined, now, 0.02)
        # The largest tenant uses every type, so that even a small world shows them all.
        count = whole(rng, 1, 4) if index else len(PLATFORM_TYPES)
        first = whole(rng, 0, len(PLATFORM_TYPES) - 1)
        kinds = (PLATFORM_TYPES[(first + step) % len(PLATFORM_TYPES)] for step in range(count))
        platforms = tuple(Platform(uuid4(rng), kind, _between(joined, settled, rng.random())) for kind in kinds)
        return Tenant(index, f"user_{index + 1:05d}", joined, settled, platforms)


def _between(start: int, end: int, fraction: float) -> int:
    return start + int((end - start) * fraction)


def _credentials(rng: Random, kind: str) -> Record:
    public, secret = _CONFIGURATIONS[kind]
    return {
        "encrypted": False,
        "api_key": f"demo-key-{rng.getrandbits(128):032x}",
        "account_id": f"acct-{whole(rng, 100_000, 999_999)}",
        "additional_config": {
            public: str(whole(rng, 10_000, 99_999)),
            secret: f"demo-secret-{rng.getrandbits(96):024x}",
        },
    }
