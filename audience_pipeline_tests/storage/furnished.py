"""A store that has something of everything a store can hold, for tests that carry a whole store elsewhere.

Belongs here: filling a store through the verbs of the contract, and taking stock of one. Does not belong here: tests.
"""

import random
from datetime import datetime
from typing import Any

import pyarrow as pa

from audience_pipeline.storage.contract import Change, TableStore
from audience_pipeline.storage.ledger import LedgerEntry
from audience_pipeline.storage.months import month_of
from audience_pipeline.tables import (
    AUDIENCES,
    AUDIT_LOG,
    DISTRIBUTION_EVENTS,
    DISTRIBUTIONS,
    DISTRIBUTIONS_ARCHIVE,
    LANDED,
    PLATFORMS,
    POSITION,
    SOURCES,
    STORED,
    USERS,
    Table,
)
from audience_pipeline.tables.arrow import arrow_schema
from audience_pipeline.tables.landed import LINES_PER_FILE
from audience_pipeline_tests.storage.builders import (
    JUNE,
    MAY,
    NOW,
    Row,
    archived_form,
    audience,
    distribution_of,
    full_audience,
    json,
    move,
    platform,
    put,
    put_references,
    sealed,
    stored,
    user,
    uuid,
)

OWNERS = ("ann", "bob/../eve", "c=%d", "d\N{PARTY POPPER} e'\"\\")
NUMBERS = [
    1e22,
    0.1,
    5.0,
    -0.0,
    5e-324,
    1.7976931348623157e308,
    2**63 - 1,
    -(2**63),
    123456789012345678,
    1e-7,
    100000.5,
]
LAST = {
    "at": NOW,
    "from_status": "scheduled",
    "to_status": "processing",
    "actor": "a",
    "reason": "claimed",
    "evidence": {"n": NUMBERS},
}
"""What parsers of JSON tend to bend."""
MONTHS = (MAY, JUNE)


def furnish(store: TableStore, audiences: int = 40) -> None:
    """Fill an empty store."""
    put(store, USERS, *(user(each, quota=json({"current_usage": {"n": NUMBERS}})) for each in OWNERS))
    put_references(store, *OWNERS)
    put(store, AUDIENCES, *(_audience(number) for number in range(audiences)))
    secret = platform(1, user_id=OWNERS[1], name="")
    put(store, PLATFORMS, {**secret, "credentials": sealed(secret), "sync_status": "failed"})
    _distribute(store)
    put(store, DISTRIBUTION_EVENTS, *(_event(number) for number in range(6)))
    put(store, AUDIT_LOG, *(_audit(number) for number in range(2)))
    _land(store)


def stock(store: TableStore) -> dict[str, Any]:
    """Return all that a store holds: rows, index, ledger and landed records, each in an order of its own."""
    held: dict[str, Any] = {table.name: stored(store, table) for table in STORED}
    for table in STORED:
        held[f"keys {table.name}"] = sorted(tuple(row.values()) for row in store.keys(table).to_pylist())
    for table in SOURCES:
        held[LANDED[table.name].name] = store.landing.read(table).to_pylist()
        held[f"ledger {table.name}"] = store.landing.lines(table)
    return held


def record(store: TableStore, table: Table, name: str, *rows: Row) -> LedgerEntry:
    """Land rows as one file, without folding them."""
    entry = store.landing.open_file(table, f"digest of {name}", name)
    schema = arrow_schema(LANDED[table.name])
    place = {"landed_at": NOW, "landed_file": name, "landed_digest": entry.digest}
    landed = [
        {**row, POSITION: entry.number * LINES_PER_FILE + line, **place} for line, row in enumerate(rows, start=1)
    ]
    store.reserve(table, {row[table.key]: (row["user_id"], _month(table, row)) for row in rows}, NOW)
    if rows:
        store.landing.stage(entry, pa.Table.from_pylist(landed, schema=schema))
    store.landing.finish(entry, {"read": len(rows)})
    return entry


def fold(store: TableStore, table: Table, entry: LedgerEntry, month: datetime | None = None) -> None:
    """Fold a file, or a month of it."""
    months = None if month is None else (month_of(month), month_of(month))
    records = store.landing.read(table, numbers=[entry.number], months=months)
    result = store.upsert(table, records.select([*table.column_names, POSITION]))
    store.landing.mark_folded([entry], {"inserted": result.inserted}, months=months)


def _audience(number: int) -> Row:
    draw = random.Random(number)  # noqa: S311 - the same rows each time
    created = MONTHS[number // 2 % 2]
    place = {"user_id": draw.choice(OWNERS), "created_at": created, "updated_at": created}
    if number % 2:
        return audience(number, **place, selected_variables=[], segments=None, name=draw.choice(["", "it's\n\\", "x"]))
    segment = {"segment_id": "s", "name": "s", "size": 1, "characteristics": {"n": NUMBERS, "none": None, "empty": []}}
    return full_audience(number, **place, segments=json([segment]), total_audience_size=2**63 - 1)


def _distribute(store: TableStore) -> None:
    """Store distributions of every status, approved ones, and archived ones."""
    owned = [(number, OWNERS[number % 4], MONTHS[number // 4 % 2]) for number in range(24)]
    put(store, DISTRIBUTIONS, *(distribution_of(owner, number, created_at=at) for number, owner, at in owned))
    keys = [uuid(number) for number, *_ in owned]
    approval = {"metadata.approval_status": "approved", "metadata.approved_by": "ann"}
    claim = {"status": "processing", "error_details": {"attempt": {"token": "t", "last": LAST}}}
    end = {"status": "completed", "executed_at": NOW, "match_results": {"match_rate": 0.1, "basis": "simulated"}}
    for wanted, expect, change in ((keys[:16], "scheduled", approval), (keys[:12], "scheduled", claim)):
        store.transition(DISTRIBUTIONS, [Change(key, {"status": expect}, change) for key in wanted])
    store.transition(DISTRIBUTIONS, [Change(key, {"status": "processing"}, end) for key in keys[:8]])
    move(store, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, keys[:4], {"archived_at": NOW})
    store.copy(DISTRIBUTIONS_ARCHIVE, archived_form(store, keys[4:6]))


def _land(store: TableStore) -> None:
    """Leave files in every state: folded, folded in part, landed, refused as a whole, and open."""
    fold(store, USERS, record(store, USERS, "users.ndjson", user("ann", organization="B"), user("new")))
    rows = [distribution_of(OWNERS[0], 100 + number, created_at=MONTHS[number % 2]) for number in range(4)]
    fold(store, DISTRIBUTIONS, record(store, DISTRIBUTIONS, "parts.ndjson", *rows), MAY)
    record(store, PLATFORMS, "waiting.ndjson", platform(7, user_id=OWNERS[2], created_at=MAY))
    record(store, AUDIENCES, "refused.ndjson")
    store.landing.open_file(AUDIENCES, "digest of open.ndjson", "open.ndjson")
    store.reserve(AUDIENCES, {uuid(900): (OWNERS[3], 202501)}, NOW)


def _event(number: int) -> Row:
    return {
        "event_id": f"event {number}",
        "distribution_id": uuid(number),
        "user_id": OWNERS[number % 4],
        "created_at": MONTHS[number % 2],
        "to_status": "processing",
        "actor": "engine",
        "evidence": json({"n": NUMBERS}) if number % 2 else None,
    }


def _audit(number: int) -> Row:
    return {
        "audit_id": uuid(number),
        "user_id": OWNERS[number],
        "created_at": MONTHS[number],
        "action": "approved",
        "actor": "",
    }


def _month(table: Table, row: Row) -> int:
    return month_of(row["created_at"]) if table.by_month else 0
