"""Generated rows of many users, made to differ between backends if anything does.

User ids would be something else as a path, a pattern or SQL; rows of one user share instants, so that their order is
the keys'; columns are null, empty or full; and JSON holds the numbers and characters that parsers disagree about.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from audience_pipeline.storage.contract import TableStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, PLATFORMS
from audience_pipeline_tests.queries.world import audience, day, distribution, platform, put, uid

Row = dict[str, object]

ODD = (
    "x' OR '1'='1",
    "`; DROP TABLE audiences; --",
    'a"b\\',
    "@user_id",
    "$user_id",
    "%",
    "../*[a]?{b}='% ☃",
    "tab\tand\nline",
    "0123",
    " ana ",
    "Ana",
    "ana",
    "e\N{COMBINING ACUTE ACCENT}",
    "é",
    "\N{PARTY POPPER}",
)
"""User ids, some of which only exact comparison tells apart."""

BUSY = ODD[0]
"""Who has more distributions than an answer holds unless asked for more, most of them of one instant."""

INSTANT = day(5) + timedelta(milliseconds=1)

_TEXTS = (
    None,
    "",
    "null",
    "plain",
    "quote ' \" ` \\ \\n",
    "line\nfeed",
    "\N{PARTY POPPER} é e\N{COMBINING ACUTE ACCENT}",
)
_NUMBERS = (0, -1, 2**53 + 1, 2**63 - 1, -(2**63), 0.1, 1 / 3, 1e-7, 1e22, 1.5e300, 5e-324, -0.0)
_LISTS: tuple[object, ...] = (None, [], [""], ["a", "null", "é"])


def crowd() -> dict[str, list[Row]]:
    """Return rows of audiences, platforms and distributions, the same at each call."""
    random = Random(20250501)  # noqa: S311 - rows, not secrets
    owners = dict(zip(_numbers(ODD), ODD * 3, strict=True))
    return {
        "audiences": [_audience(random, *owner) for owner in owners.items()],
        "platforms": [_platform(random, *owner) for owner in owners.items()],
        "distributions": [_distribution(random, *owner) for owner in owners.items()]
        + [distribution(5000 + n, BUSY, INSTANT, 1000, segments_distributed=[]) for n in range(60)],
    }


def fill(store: TableStore) -> None:
    """Store the rows."""
    for table in (AUDIENCES, PLATFORMS, DISTRIBUTIONS):
        put(store, table, *crowd()[table.name])


def _numbers(users: tuple[str, ...]) -> Iterator[int]:
    """Yield three keys for each user; the first of user n is 1000 + n."""
    yield from range(1000, 1000 + 3 * len(users))


def _audience(random: Random, number: int, user_id: str) -> Row:
    free = {name: random.choice(_NUMBERS) for name in ("b", "a", "é", "")} | {"deep": [{"x": random.choice(_TEXTS)}]}
    segment = {"segment_id": "s1", "name": random.choice(_TEXTS[3:]), "size": 1200, "characteristics": free}
    return audience(
        number,
        user_id,
        _moment(random),
        status=random.choice(["draft", "active", "archived"]),
        description=random.choice(_TEXTS),
        original_query=random.choice(_TEXTS),
        selected_variables=random.choice(_LISTS),
        segments=random.choice([None, "[]", json.dumps([segment])]),
        variable_details=random.choice([None, json.dumps([{"code": "V", "relevance_score": random.random()}])]),
        total_audience_size=random.choice([None, 0, 2**63 - 1]),
        metadata=random.choice([None, "{}", json.dumps({"tags": ["a", ""], "notes": random.choice(_TEXTS)})]),
    )


def _platform(random: Random, number: int, user_id: str) -> Row:
    rate = random.choice([0, 1, 0.1, 1 / 3])
    return platform(
        number,
        user_id,
        status=random.choice(["active", "active", "inactive"]),
        last_sync=random.choice([None, _moment(random)]),
        settings=random.choice([None, json.dumps({"default_match_rate": rate, "auto_refresh": False})]),
    )


def _distribution(random: Random, number: int, user_id: str) -> Row:
    return distribution(
        number,
        user_id,
        _moment(random),
        1000 + ODD.index(user_id),
        scheduled_at=random.choice([None, _moment(random)]),
        distribution_type=random.choice([None, "refresh"]),
        segments_distributed=random.choice(_LISTS),
        error_details=random.choice([None, json.dumps({"error_message": random.choice(_TEXTS), "retry_count": 2})]),
        metadata=random.choice([None, json.dumps({"cost_estimate": random.choice([0, 12.5, 1 / 3])})]),
    )


def _moment(random: Random) -> datetime:
    """Return one of few moments, so that some are shared, a millisecond or months apart."""
    return random.choice([day(1), day(4, 30), INSTANT, INSTANT + timedelta(milliseconds=1), day(5, 31)])


def key_of(user_id: str) -> str:
    """Return the key of a user's first audience."""
    return uid(1000 + ODD.index(user_id))
