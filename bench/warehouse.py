"""BigQuery, on the emulator: how many jobs an upsert is, and reading a month against Google's client alone.

The emulator answers as one Python process with a DuckDB of its own, so seconds say nothing about the real service. The
number of jobs does, and so does the time this package spends on rows once they are there. The other side runs the same
query and takes its rows through the same Storage Read API, as Google's client does it.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pyarrow as pa
from google.cloud import bigquery as google

from audience_pipeline.settings import Settings
from audience_pipeline.storage.bigquery.migration import Migration
from audience_pipeline.storage.bigquery.store import BigQueryStore
from audience_pipeline.storage.contract import Query
from audience_pipeline.storage.months import month_bounds
from audience_pipeline.tables import DISTRIBUTIONS
from bench import rows
from bench.measuring import Result, alternately, at_most
from bench.workbench import Workbench
from emulator.keeping import started_emulator

_MONTH = 202505
_ROWS = 10_000
_SPREAD = rows.Scale(5_000, 100)
_REPEATS = 7


def bigquery(bench: Workbench) -> list[Result]:
    """Upsert one row, and rows of 24 months, counting jobs; then read a month."""
    with _opened(bench) as store:
        spread = rows.distributions(_SPREAD)
        counts = [_jobs(store, each) for each in (spread.slice(0, 1), spread, rows.next_version(spread, 1))]
        what = f"upsert of 1 row, of {len(spread):,} in 24 months, and of these again: jobs on BigQuery"
        expected = Counter(LOAD=1, QUERY=1)
        found = "; ".join(
            ", ".join(f"{count} {kind.lower()}" for kind, count in sorted(each.items())) for each in counts
        )
        jobs = Result(what, "", "", found, "1 load, 1 query, each time", all(each == expected for each in counts))
        return [jobs, _reading(store)]


@contextmanager
def _opened(bench: Workbench) -> Iterator[BigQueryStore]:
    """Start an emulator and open a new store on it."""
    with started_emulator(bench.directory / "emulator") as endpoint:
        settings = Settings(
            backend="bigquery",
            data_dir=bench.directory / "no-data",
            bigquery_project=endpoint.project,
            bigquery_dataset="bench",
            bigquery_api_endpoint=endpoint.api,
            bigquery_storage_endpoint=endpoint.storage,
        )
        with BigQueryStore(settings) as store:
            Migration(store.warehouse, settings).run(apply_changes=False, access=False)
            yield store


def _jobs(store: BigQueryStore, given: pa.Table) -> Counter[str]:
    """Upsert rows and return how many jobs of which kind that was."""
    before = {job.job_id for job in _all_jobs(store)}
    result = store.upsert(DISTRIBUTIONS, given)
    assert result.inserted + result.updated + result.unchanged == len(given), result
    return Counter(job.job_type.upper() for job in _all_jobs(store) if job.job_id not in before)


def _all_jobs(store: BigQueryStore) -> list[google.QueryJob | google.LoadJob]:
    return list(store.warehouse.client.list_jobs())


def _reading(store: BigQueryStore) -> Result:
    """Read a month of rows, each with metadata of its own."""
    assert store.upsert(DISTRIBUTIONS, _month()).inserted == _ROWS
    ours, bare = _ours(store), _bare(store)
    with warnings.catch_warnings(action="ignore"):  # Google's client would rather make data frames
        assert ours().num_rows == bare().num_rows >= _ROWS
        mine, theirs = alternately([ours, bare], _REPEATS)
    what = f"reading a month of {_ROWS:,} distributions from BigQuery into Arrow"
    note = "other: the same query by Google's client alone, JSON as text and nothing checked"
    return at_most(what, 1.3, mine, theirs, note)


def _month() -> pa.Table:
    """Return rows of one month whose metadata all differ."""
    place = [(f"user-{number % 50}", datetime(2025, 5, 2) + timedelta(seconds=number)) for number in range(_ROWS)]  # noqa: DTZ001 - stored as UTC
    made = rows.distributions_at(place)
    texts = [f'{{"campaign_name":"Spring {number}","cost_estimate":{number}.5}}' for number in range(_ROWS)]
    return made.set_column(made.column_names.index("metadata"), "metadata", pa.array(texts, pa.string()))


def _ours(store: BigQueryStore) -> Callable[[], pa.Table]:
    return lambda: store.read(DISTRIBUTIONS, Query(months=(_MONTH, _MONTH)))


def _bare(store: BigQueryStore) -> Callable[[], pa.Table]:
    since, until = month_bounds(_MONTH, _MONTH)
    columns = ", ".join(
        f"TO_JSON_STRING({column.name}) AS {column.name}" if column.type.value == "json" else column.name
        for column in DISTRIBUTIONS.columns
    )
    text = f"SELECT {columns} FROM distributions WHERE created_at >= @since AND created_at < @until"  # noqa: S608 - declared names
    bounds = [google.ScalarQueryParameter(name, "TIMESTAMP", at) for name, at in (("since", since), ("until", until))]
    client, reader = store.warehouse.client, store.warehouse.reader

    def run() -> pa.Table:
        job = client.query(text, job_config=google.QueryJobConfig(query_parameters=bounds))
        return job.result().to_arrow(bqstorage_client=reader)

    return run
