"""A copy that is killed anywhere is finished by running it again, and nothing half copied counts as done meanwhile."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from audience_pipeline import transfer
from audience_pipeline.settings import Settings
from audience_pipeline.storage.bigquery.store import BigQueryStore
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import STORED, TABLES
from audience_pipeline.transfer import Transfer
from audience_pipeline_tests.bigquery import fresh_dataset
from audience_pipeline_tests.storage.builders import NOW, stored
from audience_pipeline_tests.storage.emptying import migrated
from audience_pipeline_tests.storage.furnished import furnish, stock
from audience_pipeline_tests.storage.writer import PROCESSES, start

Opened = Callable[[], AbstractContextManager[TableStore]]
_FEW = 5


def opened_files(root: Path) -> ParquetStore:
    return ParquetStore(root, clock=lambda: NOW)


def opened_dataset(settings: Settings) -> BigQueryStore:
    return BigQueryStore(settings, clock=lambda: NOW)


def copy_until_killed(source: Opened, target: Opened, steps: int | None, progress: Connection) -> None:
    """Copy in small portions, dying of a kill after so many of them, and tell when the copy begins to write."""
    transfer.ROWS_AT_ONCE = _FEW
    with source() as one, target() as other:
        left = steps

        def restore(*arguments: Any) -> None:  # noqa: ANN401 - those of the verb
            nonlocal left
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            write(*arguments)
            left = None if left is None else left - 1

        write = other.restore
        watched: Any = other
        watched.restore = restore
        copying = Transfer(one, other)
        parts = copying.plan()
        progress.send("writing")
        list(copying.run(parts))


def interrupted(source: Opened, target: Opened, *, steps: int | None = None, seconds: float | None = None) -> None:
    """Run a copy in a process that is killed after some portions, or some seconds of writing."""
    here, there = PROCESSES.Pipe(duplex=False)
    process = start(copy_until_killed, source, target, steps, there)
    there.close()
    with suppress(EOFError):
        here.recv()
    if seconds is not None:
        time.sleep(seconds)
        process.kill()
    process.join()
    assert process.exitcode in {0, -signal.SIGKILL}


def months_begun(source: TableStore, target: TableStore) -> Iterator[str]:
    """Yield the parts that are there in part; none may count as done, and what counts as done is there as a whole."""
    have = {table.name: stored(target, table) for table in STORED}
    want = {table.name: stored(source, table) for table in STORED}
    for part in Transfer(source, target).plan():
        if part.table not in have:
            continue
        keys = [key for key, row in want[part.table].items() if _month(part.table, row) == part.month]
        there = [key for key in keys if have[part.table].get(key) == want[part.table][key]]
        assert part.done == (len(there) == len(keys)), part
        if there and not part.done:
            yield str(part)


def _month(table: str, row: dict[str, Any]) -> int:
    return row["created_at"].year * 100 + row["created_at"].month if TABLES[table].by_month else 0


def survive(source: Opened, target: Opened, kills: list[dict[str, Any]]) -> set[str]:
    """Kill a copy again and again, then let one end; return the parts that were ever there in part."""
    begun: set[str] = set()
    for kill in kills:
        interrupted(source, target, **kill)
        with source() as one, target() as other:
            begun |= set(months_begun(one, other))
    interrupted(source, target)
    with source() as one, target() as other:
        assert all(part.done for part in Transfer(one, other).plan())
        assert stock(other) == stock(one)
        assert [finding for finding in other.verify() if not finding.harmless] == []
    return begun


@pytest.fixture
def source(tmp_path: Path) -> Opened:
    with opened_files(tmp_path / "source") as store:
        furnish(store)
    return partial(opened_files, tmp_path / "source")


@pytest.mark.slow
def test_a_killed_copy_is_finished_by_running_it_again(source: Opened, tmp_path: Path) -> None:
    draw = random.Random(1)  # noqa: S311 - a reproducible sequence
    kills = [{"steps": steps} for steps in (2, 3, 5)] + [{"seconds": draw.uniform(0, 0.3)} for _ in range(5)]
    assert survive(source, partial(opened_files, tmp_path / "copy"), kills)


@pytest.mark.prove
def test_a_killed_copy_to_bigquery_is_finished_by_running_it_again(
    source: Opened, bigquery_emulator: dict[str, Any], tmp_path: Path
) -> None:
    with fresh_dataset(bigquery_emulator, tmp_path) as settings:
        with migrated(settings):
            pass
        assert survive(source, partial(opened_dataset, settings), [{"steps": 3}, {"seconds": 2.0}])
