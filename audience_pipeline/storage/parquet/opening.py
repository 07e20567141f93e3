"""Opening a store: its directories, its state (rebuilt where it is missing or damaged), its locks.

Belongs here: who may rebuild, and reading where nothing can be written. Does not belong here: how a state is rebuilt.

Everyone who has the store open holds a shared lock on a file. A state is set aside and rebuilt under the exclusive one,
so nobody goes on writing to a database that was renamed. Where this process cannot write, it works on a copy of the
state in a temporary directory: SQLite would make files beside the original.
"""

import fcntl
import logging
import os
import shutil
import sqlite3
import time
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

from audience_pipeline.errors import CorruptionError, StorageError, UsageError, storage_errors
from audience_pipeline.storage.parquet.database import damage_mark, damaged
from audience_pipeline.storage.parquet.layout import Layout
from audience_pipeline.storage.parquet.locks import Locks
from audience_pipeline.storage.parquet.rebuild import rebuild, remove_database, set_aside
from audience_pipeline.storage.parquet.state import State
from audience_pipeline.storage.parquet.steady import steady

_LOG = logging.getLogger(__name__)
_STATE, _LOCKS, _PRESENCE = "store.sqlite", "locks", "open.lock"
_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.05


def open_to_write(layout: Layout, stack: ExitStack) -> tuple[State, Locks]:
    """Open the state for reading and writing, with the directories made; ``stack`` releases what is held.

    Raises:
        StorageError: the directory cannot be written, or others keep a damaged state open.
        UsageError: another release wrote the state.
    """
    with storage_errors(layout.root):
        layout.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        layout.state.mkdir(mode=0o700, exist_ok=True)
        layout.staging.mkdir(mode=0o700, exist_ok=True)
        presence = os.open(layout.state / _PRESENCE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    stack.callback(os.close, presence)
    state = _open_state(layout, presence)
    stack.callback(state.close)
    return state, Locks(layout.state / _LOCKS)


def open_to_read(layout: Layout, stack: ExitStack) -> tuple[State, Locks]:
    """Open the state of a directory that is there, as a copy where this process may not write; make nothing then.

    Raises:
        UsageError: there is no such directory, or another release wrote the state.
        StorageError: it cannot be read.
    """
    require_directory(layout.root)
    with storage_errors(layout.root):
        writable = _writable(layout)
    if writable:
        return open_to_write(layout, stack)
    scratch = Path(stack.enter_context(TemporaryDirectory(prefix="audience-pipeline-")))
    state = _copied(layout, scratch / _STATE)
    stack.callback(state.close)
    return state, Locks(scratch / _LOCKS)


def state_path(layout: Layout) -> Path:
    """Return where the state of a store is kept."""
    return layout.state / _STATE


def require_directory(root: Path) -> None:
    """Raise UsageError where there is no data directory, for whoever would not make one.

    Raises StorageError where it may not be listed: DuckDB finds no files then, and would answer as if there were none.
    """
    with storage_errors(root):
        found = root.is_dir()
        if found:
            next(root.iterdir(), None)
    if not found:
        raise UsageError(
            root,
            found="no such directory",
            expected="the data directory",
            remedy="Set AUDIENCE_PIPELINE_DATA_DIR, or run `audience-pipeline migrate` to make it.",
        )


def _open_state(layout: Layout, presence: int) -> State:
    """Open the state, or rebuild it while no other process has the store open."""
    path = layout.state / _STATE
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        fcntl.flock(presence, fcntl.LOCK_SH)
        try:
            return _sound(path)
        except CorruptionError as error:
            reason = error
        if _alone(presence):
            break
        if time.monotonic() > deadline:
            raise StorageError(
                path,
                found=f"{reason.found}, and other processes that have the store open",
                expected="nobody else at work while the state is rebuilt",
                remedy="Wait for their runs to end, or end them, and run again.",
            )
        time.sleep(_PAUSE_SECONDS)
    try:
        return _rebuilt(layout, path)
    finally:
        fcntl.flock(presence, fcntl.LOCK_SH)


def _alone(presence: int) -> bool:
    """Take the exclusive lock if nobody else holds the store open; where somebody does, the shared one is lost."""
    try:
        fcntl.flock(presence, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _rebuilt(layout: Layout, path: Path) -> State:
    try:
        return _sound(path)
    except CorruptionError as error:
        if path.exists():
            _LOG.warning("%s: found %s; kept as %s, and rebuilt.", path, error.found, set_aside(path).name)
        return rebuild(layout, path)


def _sound(path: Path) -> State:
    """Open a state that is there, and is not known to be damaged."""
    if not path.exists():
        raise damaged(path, "no file")
    if damage_mark(path).exists():
        raise damaged(path, "pages that could not be read")
    state = State(path)
    try:
        state.pending()
    except BaseException:
        state.close()
        raise
    return state


def _copied(layout: Layout, path: Path) -> State:
    """Open a copy of the state at ``path``; where there is none to use, it is rebuilt there."""
    source = layout.state / _STATE
    try:
        if source.exists() and not damage_mark(source).exists():
            with storage_errors(source):
                _copy(source, path)
        return _proved(path)
    except CorruptionError as error:
        _LOG.warning("%s: found %s; an index is made for this command alone.", source, error.found)
        remove_database(path)
        return rebuild(layout, path, publish=False)


def _proved(path: Path) -> State:
    """Open a copied state if every page of it is sound: a mark on a copy would not be found the next time."""
    state = _sound(path)
    if (found := state.damage()) is None:
        return state
    state.close()
    raise damaged(path, found)


def _copy(source: Path, target: Path) -> None:
    """Copy a database as of one commit: by SQLite while writers are at work, and file by file where none is."""
    log = source.with_name(f"{source.name}-wal")
    if log.exists():
        try:
            with (
                closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as db,
                closing(sqlite3.connect(target)) as copy,
            ):
                db.backup(copy)
        except sqlite3.DatabaseError:
            remove_database(target)
        else:
            return
    files = [file for file in (source, log) if file.exists()]
    steady(files, lambda: [shutil.copyfile(file, target.with_name(file.name)) for file in files])


def _writable(layout: Layout) -> bool:
    """Return whether this process may write all that opening a store writes."""
    places = [layout.state / name for name in (_STATE, _LOCKS, _PRESENCE)] + [layout.staging, layout.state]
    existing = [place for place in places if place.exists()] or [layout.root]
    return all(os.access(place, os.W_OK, effective_ids=True) for place in existing)
