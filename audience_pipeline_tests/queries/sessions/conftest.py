"""Two tenants with rows in every table, and a session of one of them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from audience_pipeline.queries.sessions import Session, open_session
from audience_pipeline.settings import Settings, load_settings
from audience_pipeline.storage.audit import Entry, record
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import ARCHIVE_MANIFEST, DISTRIBUTION_EVENTS, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, USERS
from audience_pipeline_tests.queries.world import ANA, BEN, day, distribution, populate, put, uid
from audience_pipeline_tests.storage.builders import frame

SECRET = "bens-own-words"  # noqa: S105 - a mark to look for
"""Stands in all that the other tenant has."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("tenants")
    return load_settings(data_dir=root / "data", keyset=root / "keys" / "keyset.json", session_seconds=5)


@pytest.fixture(scope="module")
def store(settings: Settings) -> Iterator[ParquetStore]:
    with ParquetStore(settings.data_dir) as opened:
        populate(opened)
        for number, user_id in ((50, ANA), (60, BEN)):
            _more(opened, number, user_id)
        yield opened


@pytest.fixture(scope="module")
def session(store: ParquetStore, settings: Settings) -> Iterator[Session]:
    assert store.root == settings.data_dir
    with open_session(ANA, settings, by="an analyst") as opened:
        yield opened


def _more(store: ParquetStore, number: int, user_id: str) -> None:
    """Give a tenant a row in each of the other tables, in words of its own."""
    words = SECRET if user_id == BEN else "anas-own-words"
    if user_id == BEN:
        put(store, USERS, {"user_id": BEN, "created_at": day(1), "email": f"{SECRET}@example.com", "permissions": []})
    old = distribution(number, user_id, day(1), 1, metadata=json.dumps({"campaign_name": words}))
    put(store, DISTRIBUTIONS, old)
    store.copy(DISTRIBUTIONS_ARCHIVE, frame(DISTRIBUTIONS_ARCHIVE, [{**old, "archived_at": day(6)}]))
    store.remove(DISTRIBUTIONS, [uid(number)])
    put(
        store,
        DISTRIBUTION_EVENTS,
        {
            "event_id": uid(number),
            "distribution_id": uid(number),
            "user_id": user_id,
            "created_at": day(1),
            "actor": words,
            "to_status": "completed",
        },
    )
    put(
        store,
        ARCHIVE_MANIFEST,
        {
            "entry_id": uid(number),
            "user_id": user_id,
            "created_at": day(6),
            "run_id": uid(1),
            "actor": words,
            "step": "copied",
            "month": 202501,
            "row_count": 1,
            "byte_count": 1,
            "archive_row_count": 1,
            "digest": words,
            "keys": [],
        },
    )
    record(store, [Entry(user_id, store_moment(), "approve", words)])


def store_moment() -> datetime:
    return datetime(2025, 6, 1, tzinfo=UTC)
