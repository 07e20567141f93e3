"""Access patterns on a warm process: against a DuckDB query written by hand, and in a store ten times as large.

The hand-written query gives the same rows in the same order, from exactly the files that hold them, on an open
connection; what `run` adds is finding those files in the index, and checking parameters and results.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from audience_pipeline.queries import run
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, PLATFORMS, Table
from bench import rows
from bench.measuring import Result, alternately, at_most, flat
from bench.workbench import Workbench

_SINCE = datetime(2025, 6, 15)  # noqa: DTZ001 - UTC
_MONTHS = (202506, 999_999)
_BY_HAND: dict[str, tuple[Table, tuple[int, int] | None, str]] = {
    "user-audiences": (
        AUDIENCES,
        None,
        """SELECT * FROM read_parquet($files, hive_partitioning = false)
        WHERE user_id = $user_id AND status != 'archived' ORDER BY created_at DESC, audience_id""",
    ),
    "distribution-history": (
        DISTRIBUTIONS,
        None,
        """SELECT * FROM read_parquet($files, hive_partitioning = false)
        WHERE audience_id = $audience_id AND user_id = $user_id ORDER BY created_at DESC, distribution_id""",
    ),
    "active-platforms": (
        PLATFORMS,
        None,
        """SELECT * EXCLUDE credentials FROM read_parquet($files, hive_partitioning = false)
        WHERE user_id = $user_id AND status = 'active' ORDER BY platform_id""",
    ),
    "recent-distributions": (
        DISTRIBUTIONS,
        _MONTHS,
        """SELECT * FROM read_parquet($files, hive_partitioning = false)
        WHERE user_id = $user_id AND created_at > $since ORDER BY created_at DESC, distribution_id LIMIT 50""",
    ),
}
_REPEATS = 41


def patterns(bench: Workbench) -> list[Result]:
    """Ask one user's patterns 1, 3, 4 and 5."""
    found = []
    with ExitStack() as stack:
        small, large = (stack.enter_context(ParquetStore(root)) for root in (bench.small, bench.large))
        connection = stack.enter_context(duckdb.connect())
        # DuckDB warns that `sql` copies large results once less; for these few rows `execute` is faster.
        stack.enter_context(warnings.catch_warnings(action="ignore", category=UserWarning))
        for name, arguments in _arguments().items():
            asked = [_asked(store, name, arguments) for store in (small, large)]
            by_hand = _by_hand(connection, small, name, arguments)
            assert asked[0]().to_pylist() == by_hand().to_pylist() != []
            # Other lines may have written newer versions of the same rows to one of the two stores.
            assert _keys(asked[0]()) == _keys(asked[1]())
            first, tenfold, direct = alternately([*asked, by_hand], _REPEATS, warm_up=5)
            what = f"{name}, one user, warm"
            found += [
                at_most(what, 1.5, first, direct, "other: a DuckDB query written by hand over exactly the right files"),
                flat(f"{what}: from 10k to 100k files", tenfold, first, "100k files against 10k"),
            ]
    return found


def by_id(bench: Workbench) -> list[Result]:
    """Ask for one audience by its id alone."""
    key = rows.audiences(rows.subject_places(48), seed=0)["audience_id"][7].as_py()
    with ParquetStore(bench.small) as small, ParquetStore(bench.large) as large:
        asked = [_asked(store, "audience-detail", {"audience_id": key}) for store in (small, large)]
        assert all(answer().num_rows == 1 for answer in asked)
        first, tenfold = alternately(asked, _REPEATS, warm_up=5)
    met = tenfold.median <= 0.010
    return [
        Result("audience by id, warm, 100k files", str(tenfold), "", f"{tenfold.median * 1e3:.1f} ms", "≤ 10 ms", met),
        flat("audience by id: from 10k to 100k files", tenfold, first, "100k files against 10k"),
    ]


def _arguments() -> dict[str, dict[str, Any]]:
    audience = rows.subject_distributions()["audience_id"][0].as_py()
    user = {"user_id": rows.SUBJECT}
    return {
        "user-audiences": user,
        "distribution-history": user | {"audience_id": audience},
        "active-platforms": user,
        "recent-distributions": user | {"since": _SINCE},
    }


def _asked(store: ParquetStore, name: str, arguments: Mapping[str, Any]) -> Callable[[], pa.Table]:
    return lambda: run(store, name, **arguments)


def _keys(answer: pa.Table) -> list[object]:
    found: list[object] = answer.column(0).to_pylist()
    return found


def _by_hand(
    connection: duckdb.DuckDBPyConnection, store: ParquetStore, name: str, arguments: Mapping[str, Any]
) -> Callable[[], pa.Table]:
    table, months, sql = _BY_HAND[name]
    files: Sequence[str] = store.files(table, user_id=rows.SUBJECT, months=months)
    bound = {**arguments, "files": files}
    return lambda: connection.execute(sql, bound).to_arrow_table()
