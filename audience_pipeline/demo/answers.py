"""The access patterns asked of a demo, each cut down to what fits a terminal.

Belongs here: which questions, and which columns of an answer people want to see. Does not belong here: answering
(`audience_pipeline.queries`), or printing.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from audience_pipeline.errors import UsageError
from audience_pipeline.storage.contract import Query
from audience_pipeline.tables import DISTRIBUTIONS

if TYPE_CHECKING:
    import pyarrow as pa

    from audience_pipeline.queries.answers import QueryStore
    from audience_pipeline.storage.bigquery.store import BigQueryStore
    from audience_pipeline.storage.contract import TableStore
    from audience_pipeline.storage.parquet.store import ParquetStore

SHOWN_ROWS = 5
RECENT_DAYS = 30

_SHOWN = {
    "user-audiences": """
        SELECT name, status, data_type, json_array_length(segments) AS segments, total_audience_size AS people,
          created_at::DATE AS created
        FROM answer""",
    "audience-detail": """
        SELECT s ->> 'name' AS segment, (s ->> 'size')::BIGINT AS people, (s ->> 'size_percentage')::DOUBLE AS percent,
          array_to_string(s ->> '$.prizm_segments[*]', ', ') AS prizm_segments
        FROM (SELECT unnest(segments::JSON[]) AS s FROM answer)""",
    "distribution-history": """
        SELECT created_at::DATE AS created, distribution_type, status,
          (match_results ->> 'total_records')::BIGINT AS records,
          (match_results ->> 'matched_records')::BIGINT AS matched,
          (match_results ->> 'match_rate')::DOUBLE AS match_rate, error_details ->> 'error_code' AS error_code
        FROM answer""",
    "active-platforms": """
        SELECT name, platform_type, settings ->> 'refresh_frequency' AS refresh, sync_status,
          last_sync::DATE AS last_sync
        FROM answer""",
    "recent-distributions": """
        SELECT created_at::DATE AS created, status, distribution_type, metadata ->> 'campaign_name' AS campaign,
          scheduled_at::DATE AS scheduled
        FROM answer""",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered question: the arguments that ask it, how long it took, its rows in all, and the first of them."""

    name: str
    arguments: Mapping[str, Any]
    seconds: float
    rows: int
    shown: "pa.Table"


def answers(store: "ParquetStore | BigQueryStore", user_id: str, now: datetime) -> Iterator[Answer]:
    """Ask every access pattern about one user, and about the audience the user distributes most."""
    audience = _busiest_audience(store, user_id)
    since = (now - timedelta(days=RECENT_DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)
    yield _ask(store, "user-audiences", user_id=user_id)
    yield _ask(store, "audience-detail", audience_id=audience)
    yield _ask(store, "distribution-history", user_id=user_id, audience_id=audience)
    yield _ask(store, "active-platforms", user_id=user_id)
    yield _ask(store, "recent-distributions", user_id=user_id, since=since)


def _ask(store: "QueryStore", name: str, **arguments: Any) -> Answer:  # noqa: ANN401 - each has its own type
    import duckdb  # noqa: PLC0415 - a demo's help needs none of it

    from audience_pipeline.queries import run  # noqa: PLC0415 - the same

    start = time.perf_counter()
    rows = run(store, name, **arguments)
    seconds = time.perf_counter() - start
    with duckdb.connect() as connection:
        connection.register("answer", rows)
        shown = connection.sql(_SHOWN[name]).limit(SHOWN_ROWS).to_arrow_table()
    return Answer(name, arguments, seconds, rows.num_rows, shown)


def _busiest_audience(store: "TableStore", user_id: str) -> str:
    found = store.read(DISTRIBUTIONS, Query(columns=["audience_id"], user_id=user_id))["audience_id"].to_pylist()
    if not found:
        subject = f"user {user_id} of the demo"
        raise UsageError(
            subject,
            found="no distributions",
            expected="some, to ask about",
            remedy="Run the demo with a larger --size.",
        )
    uses = Counter(found)
    return str(max(uses, key=lambda audience: (uses[audience], audience)))
