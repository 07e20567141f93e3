"""Rows and frames for the storage tests, each valid as it is and changed by keyword."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import pyarrow as pa

from audience_pipeline.security import seal_platform
from audience_pipeline.security.keyset import generate_keyset
from audience_pipeline.storage.contract import MoveResult, TableStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE, PLATFORMS, POSITION, Table
from audience_pipeline.tables.arrow import arrow_schema

Row = dict[str, Any]

NOW = datetime(2025, 8, 1, 12)  # noqa: DTZ001 - stored times are UTC without a zone
MAY = datetime(2025, 5, 3, 10, 20, 30, 456000)  # noqa: DTZ001
JUNE = datetime(2025, 6, 3, 10, 20, 30, 456000)  # noqa: DTZ001
JULY = datetime(2025, 7, 3, 10, 20, 30, 456000)  # noqa: DTZ001
USER = "user123"

KEYSET = generate_keyset()
_POSITION_FIELD = pa.field(POSITION, pa.int64())


def uuid(number: int) -> str:
    """Return the UUID that stands for a small number."""
    return str(UUID(int=number, version=4))


def json(value: object) -> str:
    """Return the canonical JSON text of a value."""
    return msgspec.json.encode(value, order="sorted").decode()


def audience(number: int = 1, **changes: Any) -> Row:  # noqa: ANN401 - any column's value
    """Return an audience of May, at its first version."""
    return {
        "audience_id": uuid(number),
        "user_id": USER,
        "name": f"audience {number}",
        "created_at": MAY,
        "updated_at": MAY,
        "status": "draft",
        "data_type": "first_party",
        **changes,
    }


def full_audience(number: int = 1, **changes: Any) -> Row:  # noqa: ANN401 - any column's value
    """Return an audience with a value in every column."""
    segment = {"segment_id": "s1", "name": "Young Digerati", "size": 40, "prizm_segments": ["04"]}
    return audience(number) | {
        "description": "Emoji \N{PARTY POPPER}, quote ' and \"",
        "original_query": "people who\nread",
        "selected_variables": ["V1", "V2"],
        "variable_details": json([{"code": "V1", "relevance_score": 0.5}]),
        "segments": json([segment | {"characteristics": {"age": "25-44"}}]),
        "total_audience_size": 100,
        "metadata": json({"campaign_id": "c1", "tags": ["a"]}),
        **changes,
    }


def distribution(number: int = 1, **changes: Any) -> Row:  # noqa: ANN401 - any column's value
    """Return a scheduled distribution of May, without a version."""
    return {
        "distribution_id": uuid(number),
        "user_id": USER,
        "audience_id": uuid(1),
        "platform_id": uuid(1),
        "created_at": MAY,
        "scheduled_at": None,
        "status": "scheduled",
        "distribution_type": "initial",
        "segments_distributed": ["s1"],
        "metadata": json({"approval_status": "pending", "campaign_name": "spring"}),
        **changes,
    }


def platform(number: int = 1, **changes: Any) -> Row:  # noqa: ANN401 - any column's value
    """Return an active platform without credentials."""
    return {
        "platform_id": uuid(number),
        "user_id": USER,
        "platform_type": "the_trade_desk",
        "name": f"platform {number}",
        "created_at": MAY,
        "updated_at": MAY,
        "status": "active",
        **changes,
    }


def user(user_id: str = USER, **changes: Any) -> Row:  # noqa: ANN401 - any column's value
    """Return a user without limits."""
    return {"user_id": user_id, "email": "a@example.com", "created_at": MAY, "permissions": ["read"], **changes}


def sealed(row: Row, api_key: str = "key") -> str:
    """Return sealed credentials for a platform row; the text differs at each call, its fingerprint does not."""
    credentials = {"api_key": api_key, "account_id": "seat-1"}
    return json(seal_platform({**row, "credentials": credentials}, KEYSET)["credentials"])


def frame(table: Table, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows as Arrow, with the columns any of them has, typed as declared."""
    names = {name for row in rows for name in row}
    fields = [field for field in [*arrow_schema(table), _POSITION_FIELD] if field.name in names]
    return pa.Table.from_pylist(list(rows), schema=pa.schema(fields))


def stored(store: TableStore, table: Table = AUDIENCES) -> dict[str, Row]:
    """Return all rows of a table by key, having made sure that no key is there twice."""
    rows = store.read(table).to_pylist()
    by_key = {row[table.key]: row for row in rows}
    assert len(by_key) == len(rows)
    return by_key


def one(store: TableStore, table: Table = AUDIENCES, number: int = 1) -> Row:
    """Return the row of one key."""
    (row,) = store.get(table, [uuid(number)]).to_pylist()
    return dict(row)


def put(store: TableStore, table: Table, *rows: Row) -> None:
    """Upsert rows none of which may be refused."""
    assert not store.upsert(table, frame(table, rows)).refused


def put_references(store: TableStore, *users: str) -> None:
    """Store for each user an audience and a platform, for distributions to name: those of :func:`reference`."""
    put(store, AUDIENCES, *(audience(reference(each), user_id=each) for each in users))
    put(store, PLATFORMS, *(platform(reference(each), user_id=each) for each in users))


def reference(user_id: str) -> int:
    """Return the number of a user's referenced audience and platform."""
    return 10**6 + int.from_bytes(user_id.encode()) % 10**9


def distribution_of(user_id: str, number: int, **changes: Any) -> Row:  # noqa: ANN401 - any column's value
    """Return a distribution whose references exist once :func:`put_references` stored the user's."""
    known = uuid(reference(user_id))
    return distribution(number, **{"user_id": user_id, "audience_id": known, "platform_id": known, **changes})


def move(store: TableStore, source: Table, target: Table, keys: Sequence[str], put: Mapping[str, Any]) -> MoveResult:
    """Copy rows to a table or its archive and remove them from the other, as if no reader had to be waited for."""
    found = store.get(source, list(keys))
    kept = found.select([name for name in found.column_names if name in target.by_name])
    for name, value in put.items():
        kept = kept.append_column(
            arrow_schema(target).field(name), pa.array([value] * kept.num_rows, arrow_schema(target).field(name).type)
        )
    store.copy(target, kept)
    moved = store.remove(source, list(keys)).moved
    return MoveResult(moved, {key: f"not in {source.name}" for key in keys if key not in moved})


def archived_form(store: TableStore, keys: Sequence[str]) -> pa.Table:
    """Return live distributions as the archive would have them."""
    kind = arrow_schema(DISTRIBUTIONS_ARCHIVE).field("archived_at")
    rows = store.get(DISTRIBUTIONS, list(keys))
    return rows.append_column(kind, pa.array([NOW] * rows.num_rows, kind.type))
