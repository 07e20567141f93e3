"""Small tenants with rows that tell the access patterns apart: every filter keeps one row and drops another."""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pyarrow as pa

from audience_pipeline.security import seal_platform
from audience_pipeline.security.keyset import generate_keyset
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, PLATFORMS, USERS, Table
from audience_pipeline.tables.arrow import arrow_schema

ANA, BEN = "user123", "ben/../x=y%"
API_KEY = "canary-api-key"

SEGMENTS = [
    {"segment_id": "s1", "name": "Young Digerati", "size": 1200, "size_percentage": 12.0, "prizm_segments": ["04"]},
    {"segment_id": "s2", "name": "Second City Startups", "size": 800, "characteristics": {"age": [25, 34]}},
]
VARIABLES = [{"code": "AGE_25_34", "relevance_score": 0.9}]


def uid(number: int) -> str:
    """Return the UUID of a number."""
    return str(UUID(int=number))


def audience(number: int, user_id: str, day: datetime, **values: object) -> dict[str, object]:
    return {
        "audience_id": uid(number),
        "user_id": user_id,
        "name": f"Audience {number}",
        "created_at": day,
        "updated_at": day,
        "status": "active",
        "data_type": "first_party",
        "total_audience_size": 10_000,
        "segments": json.dumps(SEGMENTS),
        "variable_details": json.dumps(VARIABLES),
        **values,
    }


def platform(number: int, user_id: str, **values: object) -> dict[str, object]:
    day = datetime(2025, 1, 1)  # noqa: DTZ001 - as files hold it: UTC without a zone
    record = {
        "platform_id": uid(number),
        "user_id": user_id,
        "credentials": {"api_key": API_KEY, "account_id": "seat-1"},
    }
    return {
        "platform_id": uid(number),
        "user_id": user_id,
        "platform_type": "google_ads",
        "name": f"Platform {number}",
        "created_at": day,
        "updated_at": day,
        "status": "active",
        "credentials": json.dumps(seal_platform(record, generate_keyset())["credentials"]),
        "settings": json.dumps({"default_match_rate": 0.5, "auto_refresh": True, "refresh_frequency": "weekly"}),
        **values,
    }


def distribution(number: int, user_id: str, day: datetime, audience: int, **values: object) -> dict[str, object]:
    results = {"total_records": 2000, "matched_records": 900, "match_rate": 0.45}
    return {
        "distribution_id": uid(number),
        "user_id": user_id,
        "audience_id": uid(audience),
        "platform_id": uid(20 if user_id == ANA else 22),
        "created_at": day,
        "executed_at": day,
        "status": "completed",
        "distribution_type": "initial",
        "segments_distributed": ["s1", "s2"],
        "match_results": json.dumps(results),
        "metadata": json.dumps({"campaign_name": "Spring", "cost_estimate": 12.5}),
        **values,
    }


def day(month: int, number: int = 1) -> datetime:
    """Return a day of 2025 as files hold it: UTC without a zone."""
    return datetime(2025, month, number)  # noqa: DTZ001 - see above


def put(store: TableStore, table: Table, *rows: dict[str, object]) -> None:
    """Store rows, of which none may be refused."""
    schema = arrow_schema(table)
    result = store.upsert(
        table, pa.Table.from_pylist([dict.fromkeys(schema.names) | row for row in rows], schema=schema)
    )
    assert result.refused == ()


def populate(store: TableStore) -> None:
    """Store the rows every test of this package starts from."""
    put(
        store,
        USERS,
        {"user_id": ANA, "created_at": day(1), "permissions": ["read"], "quota": json.dumps({"max_audiences": 5})},
    )
    put(
        store,
        AUDIENCES,
        audience(1, ANA, day(1)),
        audience(2, ANA, day(2)),
        audience(3, ANA, day(2)),
        audience(4, ANA, day(3), status="archived"),
        audience(5, BEN, day(2)),
    )
    put(
        store,
        PLATFORMS,
        platform(20, ANA),
        platform(21, ANA, status="inactive"),
        platform(22, BEN),
    )
    put(
        store,
        DISTRIBUTIONS,
        distribution(10, ANA, day(1), audience=1),
        distribution(11, ANA, day(3), audience=1),
        distribution(12, ANA, day(4), audience=2),
        distribution(13, BEN, day(4), audience=5),
    )


def ids(rows: pa.Table, key: str) -> list[int]:
    """Return the numbers of the rows' keys, in order."""
    return [UUID(value).int for value in rows[key].to_pylist()]


def spoil(paths: Iterable[Path]) -> int:
    """Overwrite files with what no reader can open; return how many."""
    spoiled = list(paths)
    for path in spoiled:
        path.write_bytes(b"not Parquet")
    return len(spoiled)
