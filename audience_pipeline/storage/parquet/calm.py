"""Reads of any files of a store that no writer disturbs.

Belongs here: noticing that the store was written to while something read it, and reading again. Does not belong here:
what is read; where the files are known, :mod:`.steady` looks at these alone.

DuckDB opens a file for its footer and again for its rows. When it is replaced in between, the answer is an error, or
wrong. A writer commits to the state before it replaces files, and after. So a read counts when nothing was committed
meanwhile, and no file of a writer at work was replaced.
"""

import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from audience_pipeline.errors import ConflictError
from audience_pipeline.storage.parquet.layout import Layout, Partition
from audience_pipeline.storage.parquet.opening import state_path
from audience_pipeline.storage.parquet.steady import stamps
from audience_pipeline.tables import TABLES

_ATTEMPTS = 40
_LONGEST_PAUSE_SECONDS = 0.1
Found = TypeVar("Found")


def undisturbed(data_dir: Path, read: Callable[[], Found]) -> Found:
    """Return what ``read`` makes of the store's files while nobody writes; it is called again if somebody did.

    Where the state cannot be watched, as on a medium that is read-only, it is called once.

    Raises:
        ConflictError: there were writes during each of many attempts.
        Exception: what ``read`` raises though nothing was written.
    """
    layout = Layout(data_dir.absolute())
    try:
        state = sqlite3.connect(f"{state_path(layout).as_uri()}?mode=ro", uri=True)
    except sqlite3.Error:
        return read()
    with closing(state):
        try:
            before = _now(state, layout)
        except sqlite3.Error:
            return read()
        for _ in range(_ATTEMPTS):
            try:
                found = read()
            except Exception:
                if _now(state, layout) == before:
                    raise
            else:
                if _now(state, layout) == before:
                    return found
            time.sleep(random.uniform(0, _LONGEST_PAUSE_SECONDS))  # noqa: S311 - to fall between the writes
            before = _now(state, layout)
    raise ConflictError(
        data_dir,
        found=f"writes during each of {_ATTEMPTS} reads",
        expected="a moment without any that is as long as the read",
        remedy="Run again, or when less is written.",
    )


def _now(state: sqlite3.Connection, layout: Layout) -> tuple[object, ...]:
    """Return what changes whenever a file is replaced: the state's version, and the files of writers at work."""
    pending = state.execute("SELECT tbl, user_id, month FROM pending ORDER BY 1, 2, 3").fetchall()
    (version,) = state.execute("PRAGMA data_version").fetchone()
    files = [layout.path(TABLES[name], Partition(user, month)) for name, user, month in pending]
    return (version, tuple(stamps(files)))
