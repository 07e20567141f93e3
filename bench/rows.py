"""Synthetic rows: as many as asked for, zipf-sized users over 24 months, the same for the same seed.

Belongs here: rows as the store takes them, and their next versions. Does not belong here: nested landing records; those
come from the package's demo generator.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

import polars as pl
import pyarrow as pa

from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, PLATFORMS, Table
from audience_pipeline.tables.arrow import arrow_schema

MONTHS = [year * 100 + month for year in (2024, 2025) for month in range(1, 13)]
SUBJECT = "subject"
"""The user every store has with the same rows, however large the store is."""

_SKEW = 0.9
_SECONDS_A_MONTH = 28 * 86_400


@dataclass(frozen=True, slots=True)
class Scale:
    """A store's size: ``rows`` distributions of ``users`` users."""

    rows: int
    users: int


SMALL = Scale(100_000, 450)
"""About 10,000 files of distributions."""

LARGE = Scale(1_000_000, 4_100)
"""About 90,000 files of distributions."""


def distributions(scale: Scale, seed: int = 1) -> pa.Table:
    """Return a store's distributions, all of them still scheduled, the subject's among them."""
    random_ = random.Random(seed)  # noqa: S311 - data, not secrets
    weights = list(accumulate(rank**-_SKEW for rank in range(1, scale.users + 1)))
    numbers = random_.choices(range(scale.users), cum_weights=weights, k=scale.rows)
    others = _distributions([f"user-{number:05d}" for number in numbers], random_)
    return pa.concat_tables([subject_distributions(), others])


def subject_distributions() -> pa.Table:
    """Return the subject's distributions: ten in each month, of five audiences."""
    return _distributions([SUBJECT] * 240, random.Random(0), moments=_evenly(240))  # noqa: S311 - data, not secrets


def distributions_at(places: Sequence[tuple[str, datetime]], seed: int = 5) -> pa.Table:
    """Return one distribution for each (user, moment)."""
    random_ = random.Random(seed)  # noqa: S311 - data, not secrets
    return _distributions([user for user, _ in places], random_, [moment for _, moment in places])


def audiences(places: Sequence[tuple[str, datetime]], seed: int = 2) -> pa.Table:
    """Return one audience for each (user, moment)."""
    random_, count = random.Random(seed), len(places)  # noqa: S311 - data, not secrets
    moments = [moment for _, moment in places]
    values: dict[str, Sequence[object]] = {
        "audience_id": _uuids(random_, count),
        "user_id": [user for user, _ in places],
        "name": [f"Audience {number}" for number in range(count)],
        "created_at": moments,
        "updated_at": moments,
        "status": ["active", "draft", "archived", "active"] * (count // 4) + ["active"] * (count % 4),
        "data_type": ["first_party"] * count,
        "selected_variables": [["PRIZM_01", "AGE_25_34"]] * count,
        "segments": ['[{"name":"Young Digerati","prizm_segments":["04"],"segment_id":"s1","size":12000}]'] * count,
        "total_audience_size": [120_000] * count,
        "metadata": ['{"tags":["spring"]}'] * count,
    }
    return _typed(AUDIENCES, values)


def subject_places(count: int) -> list[tuple[str, datetime]]:
    """Return places for ``count`` rows of the subject, spread evenly over the months."""
    return [(SUBJECT, moment) for moment in _evenly(count)]


def platforms(users: Sequence[str], seed: int = 3) -> pa.Table:
    """Return three platforms for each user."""
    owners = [user for user in users for _ in range(3)]
    random_, moments = random.Random(seed), [datetime(2024, 1, 1)] * len(owners)  # noqa: S311, DTZ001 - data; UTC
    values: dict[str, Sequence[object]] = {
        "platform_id": _uuids(random_, len(owners)),
        "user_id": owners,
        "platform_type": ["the_trade_desk", "google_ads", "facebook"] * len(users),
        "name": ["Platform"] * len(owners),
        "created_at": moments,
        "updated_at": moments,
        "status": ["active", "inactive", "active"] * len(users),
    }
    return _typed(PLATFORMS, values)


def next_version(rows: pa.Table, version: int) -> pa.Table:
    """Return ``rows`` of distributions as their sender would land them again, changed and newer."""
    campaign = pa.array([_metadata(version)] * len(rows), pa.string())
    return rows.set_column(rows.column_names.index("metadata"), "metadata", campaign)


def of_month(rows: pa.Table, user: str, month: int) -> pa.Table:
    """Return the rows of one user and month (``yyyymm``)."""
    created = pl.col("created_at")
    found = pl.DataFrame(pl.from_arrow(rows)).filter(
        pl.col("user_id") == user, created.dt.year() == month // 100, created.dt.month() == month % 100
    )
    return found.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(rows.schema)


def sample(rows: pa.Table, count: int, seed: int = 4) -> pa.Table:
    """Return ``count`` rows drawn from all of ``rows``."""
    return rows.take(sorted(random.Random(seed).sample(range(len(rows)), count)))  # noqa: S311 - data, not secrets


def _distributions(users: list[str], random_: random.Random, moments: list[datetime] | None = None) -> pa.Table:
    count = len(users)
    targets = _uuids(random_, 5)
    values: dict[str, Sequence[object]] = {
        "distribution_id": _uuids(random_, count),
        "user_id": users,
        "audience_id": [targets[number % 5] for number in range(count)],
        "platform_id": [targets[number % 3] for number in range(count)],
        "created_at": moments or _moments(random_, count),
        "status": ["scheduled"] * count,
        "distribution_type": ["initial"] * count,
        "segments_distributed": [["PRIZM_04", "PRIZM_07", "PRIZM_31"]] * count,
        "metadata": [_metadata(0)] * count,
    }
    return _typed(DISTRIBUTIONS, values)


def _metadata(version: int) -> str:
    updated = datetime(2026, 1, 1) + timedelta(seconds=version)  # noqa: DTZ001 - written as UTC
    return f'{{"campaign_name":"Spring","cost_estimate":12.5,"updated_at":"{updated:%Y-%m-%dT%H:%M:%S}Z"}}'


def _typed(table: Table, values: Mapping[str, Sequence[object]]) -> pa.Table:
    schema = arrow_schema(table)
    count = len(values["user_id"])
    return pa.table(
        [pa.array(values.get(name, [None] * count), schema.field(name).type) for name in schema.names], schema=schema
    )


def _uuids(random_: random.Random, count: int) -> list[str]:
    text = random_.randbytes(16 * count).hex()
    each = (text[at : at + 32] for at in range(0, 32 * count, 32))
    return [f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}" for h in each]


def _moments(random_: random.Random, count: int) -> list[datetime]:
    months = random_.choices(MONTHS, k=count)
    return [_moment(month, random_.randrange(_SECONDS_A_MONTH)) for month in months]


def _evenly(count: int) -> list[datetime]:
    return [_moment(MONTHS[number % 24], number * 997 % _SECONDS_A_MONTH) for number in range(count)]


def _moment(month: int, seconds: int) -> datetime:
    return datetime(month // 100, month % 100, 1) + timedelta(seconds=seconds)  # noqa: DTZ001 - stored as UTC
