"""Upserts of a store that has 100,000 distributions: one user's month, and rows spread over everything.

Each run updates every row it is given; ours is synced before it returns, and delta-rs's merge is followed by a sync of
what it added.
"""

from collections.abc import Callable, Iterator
from itertools import count

import pyarrow as pa
from deltalake import DeltaTable

from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import DISTRIBUTIONS
from bench import delta, rows
from bench.measuring import Result, alternately, at_least
from bench.workbench import Workbench

_MONTH = 202505


def one_month(bench: Workbench) -> Result:
    """Upsert the subject's month."""
    changed = rows.of_month(bench.small_rows, rows.SUBJECT, _MONTH)
    what = f"upsert of one user's month ({len(changed)} rows) into 100k distributions, synced"
    return _against_delta(bench, what, 10, changed, repeats=9)


def spread(bench: Workbench) -> Result:
    """Upsert 1 % of the rows, drawn from all files."""
    changed = rows.sample(bench.small_rows, len(bench.small_rows) // 100)
    what = f"upsert of 1 % of 100k distributions ({len(changed)} rows spread over the store), synced"
    return _against_delta(bench, what, 3, changed, repeats=3)


def _against_delta(bench: Workbench, what: str, bar: float, changed: pa.Table, repeats: int) -> Result:
    table = DeltaTable(bench.delta)
    with ParquetStore(bench.small) as store:
        runs = [_ours(store, changed), _theirs(table, changed)]
        ours, theirs = alternately(runs, repeats)
    return at_least(what, bar, ours, theirs, "other: delta-rs MERGE, literal partition predicates, then synced")


def _versions(changed: pa.Table) -> Iterator[pa.Table]:
    return (rows.next_version(changed, version) for version in count(1))


def _ours(store: ParquetStore, changed: pa.Table) -> Callable[[], None]:
    versions = _versions(changed)

    def run() -> None:
        assert store.upsert(DISTRIBUTIONS, next(versions)).updated == len(changed)

    return run


def _theirs(table: DeltaTable, changed: pa.Table) -> Callable[[], None]:
    versions = _versions(changed)

    def run() -> None:
        assert delta.merge(table, delta.with_partition(next(versions))) == len(changed)
        delta.sync(table)

    return run
