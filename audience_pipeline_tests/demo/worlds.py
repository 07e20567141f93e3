"""The worlds the demo's tests look at."""

from datetime import UTC, datetime

from audience_pipeline.demo.generate import DemoWorld, encoded

NOW = datetime(2026, 3, 17, 14, 30, tzinfo=UTC)
TABLES = ("users", "audiences", "platforms", "distributions")


def world(*, seed: int = 7, tenants: int = 40, audiences: int = 600, distributions: int = 4_000) -> DemoWorld:
    """Return a world of two years, large enough that everything rare in it happens."""
    return DemoWorld(seed, NOW, tenants=tenants, audience_count=audiences, distribution_count=distributions)


def text(of: DemoWorld, table: str) -> bytes:
    """Return all lines of one table."""
    return b"".join(encoded(getattr(of, table)()))
