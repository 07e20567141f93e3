"""Upserts of a store that has 100,000 distributions: one user's month, rows spread over everything, and growth.

Each run updates every row it is given; ours is synced before it returns, and delta-rs's merge is followed by a sync of
what it added.
"""

from collections.abc import Callable
from itertools import count

import pyarrow as pa
from deltalake import DeltaTable

from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import DISTRIBUTIONS
from bench import delta, rows
from bench.measuring import Result, alternately, at_least, at_most
from bench.workbench import Workbench

_MONTH = 202505
_versions = count(1)


def one_month(bench: Workbench) -> list[Result]:
    """Upsert the subject's month."""
    changed = rows.of_month(bench.small_rows, rows.SUBJECT, _MONTH)
    what = f"upsert of one user's month ({len(changed)} rows) into 100k distributions, synced"
    return [_against_delta(bench, what, 10, changed, repeats=5, block=5, streamed=True)]


def spread(bench: Workbench) -> list[Result]:
    """Upsert 1 % of the rows, drawn from all files."""
    changed = rows.sample(bench.small_rows, len(bench.small_rows) // 100)
    what = f"upsert of 1 % of 100k distributions ({len(changed)} rows spread over the store), synced"
    return [_against_delta(bench, what, 3, changed, repeats=5, block=1, streamed=False)]


def growth(bench: Workbench) -> list[Result]:
    """Upsert the subject's month in the small store and in one ten times as large."""
    changed = rows.of_month(bench.small_rows, rows.SUBJECT, _MONTH)
    with ParquetStore(bench.small) as small, ParquetStore(bench.large) as large:
        ours, base = alternately([_ours(large, changed), _ours(small, changed)], repeats=21)
    what = f"upsert of one month ({len(changed)} rows) in a store ten times as large"
    return [at_most(what, 1.2, ours, base, "1M against 100k distributions")]


def _against_delta(  # noqa: PLR0913 - one row's numbers
    bench: Workbench, what: str, bar: float, changed: pa.Table, *, repeats: int, block: int, streamed: bool
) -> Result:
    table = DeltaTable(bench.delta)
    with ParquetStore(bench.small) as store:
        runs = [_ours(store, changed), _theirs(table, changed, streamed=streamed)]
        ours, theirs = alternately(runs, repeats, block=block)
    return at_least(what, bar, ours, theirs, "other: delta-rs MERGE, literal partition predicates, then synced")


def _ours(store: ParquetStore, changed: pa.Table) -> Callable[[], None]:
    def run() -> None:
        assert store.upsert(DISTRIBUTIONS, rows.next_version(changed, next(_versions))).updated == len(changed)

    return run


def _theirs(table: DeltaTable, changed: pa.Table, *, streamed: bool) -> Callable[[], None]:
    def run() -> None:
        assert delta.merge(
            table, delta.with_partition(rows.next_version(changed, next(_versions))), streamed=streamed
        ) == len(changed)
        delta.sync(table)

    return run
