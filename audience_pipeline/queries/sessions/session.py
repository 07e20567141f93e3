"""A tenant session: opened for one user, asked by statements, closed.

Belongs here: running what was judged, within its limits, and telling what DuckDB says without paths. Does not belong
here: which statements may run (:mod:`.judging`), what the connection reaches (:mod:`.connection`).
"""

import os
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from uuid import uuid4

import duckdb

from audience_pipeline.errors import PipelineError, SecurityError, StorageError, UsageError
from audience_pipeline.queries.results import TooLargeError, answer_to
from audience_pipeline.queries.sessions.connection import SealedConnection, directory_of, tables_of, view_names
from audience_pipeline.queries.sessions.judging import judged, refusal
from audience_pipeline.queries.sessions.watching import Watch, watched
from audience_pipeline.settings import Settings, load_settings, variable
from audience_pipeline.storage.audit import Entry, account, record
from audience_pipeline.storage.parquet.opening import require_directory
from audience_pipeline.storage.parquet.steady import steady
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables.tenant import user_id_problem

if TYPE_CHECKING:
    import pyarrow as pa

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_CORRECT = "Correct the statement; `DESCRIBE` a view shows its columns."
_SESSION = "tenant session"
_REMEMBERED = 64
"""So many statements are judged once only, however often they are asked."""


class Session:
    """One tenant's rows, read-only. A context manager; not for several threads at once."""

    def __init__(self, user_id: str, settings: Settings) -> None:
        self._root = settings.data_dir.absolute()
        self._user_id = user_id
        self._settings = settings
        self._ended = False
        self._memory = _bytes(settings.session_memory)
        self._connection = SealedConnection(self._root, user_id, settings.session_memory)
        self._judged = lru_cache(_REMEMBERED)(partial(judged, self._connection.duckdb, views=view_names()))

    def sql(self, statement: str) -> "pa.Table":
        """Run one SELECT, DESCRIBE or EXPLAIN, and return its rows.

        Raises:
            UsageError: the statement is not one, names something else than the views and the listed functions, is
                wrong, or takes more time, memory or rows than the settings allow.
            ConflictError: files were replaced again and again while they were read.
            StorageError: a file could not be read.
        """
        return self.read(statement)[0]

    def read(self, statement: str) -> "tuple[pa.Table, frozenset[str]]":
        """Return the rows of a statement and the names of the columns that hold JSON; see :meth:`sql`."""
        if self._ended:
            raise UsageError(_SESSION, found="one that was closed", expected="an open one", remedy="Open another.")
        text, names = self._judged(statement)
        connection = self._connection.duckdb
        with watched(connection, self._settings.session_seconds, self._memory) as watch:
            try:
                self._connection.provide(names)
                run = partial(answer_to, connection, text, at_most=self._memory)
                return steady(self._files(names), run)
            except (duckdb.Error, TooLargeError, MemoryError) as error:
                told = self._told(error, watch)
            except PipelineError as error:
                told = _without_paths(error, self._root)
        # Raised outside of the handlers: the chained originals would print paths.
        raise told

    def close(self) -> None:
        """End the session; it answers no more."""
        self._ended = True
        self._connection.duckdb.close()

    def __enter__(self) -> Self:
        """Return the session itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _files(self, names: Iterable[str]) -> list[str]:
        """Return the tenant's files that views read, as they are now.

        Raises:
            SecurityError: one of them is a symbolic link, which may lead to anybody's rows.
        """
        directories = [directory_of(self._root, table, self._user_id) for table in tables_of(names)]
        return [path for directory in directories for path in _files_below(str(directory))]

    def _told(self, error: Exception, watch: Watch) -> PipelineError:
        limits = self._settings
        if watch.late:
            return _limit(f"more than {limits.session_seconds} s", "session_seconds", limits.session_seconds)
        if watch.large or isinstance(error, TooLargeError | MemoryError | duckdb.OutOfMemoryException):
            return _limit(f"more memory than {limits.session_memory}", "session_memory", limits.session_memory)
        found = _scrubbed(str(error).strip(), self._root)
        if isinstance(error, duckdb.IOException) or ".parquet" in found:
            remedy = "Tell the operator of the pipeline; `audience-pipeline verify` shows which files are damaged."
            return StorageError(_SESSION, found=found, expected="readable files", remedy=remedy)
        return refusal(found=found, expected="a statement DuckDB can run", remedy=_CORRECT)


def open_session(user_id: str, settings: Settings | None = None, *, by: str | None = None) -> Session:
    """Open a session of one tenant over the Parquet tables, and have the audit log say so.

    Args:
        user_id: whose rows; a user nobody has heard of has none.
        settings: those of the environment unless given.
        by: who opens it, for the audit log; the account of this process unless given.

    Raises:
        UsageError: the user id is none, the backend has no such sessions, or there is no data directory.
        StorageError: the audit log cannot be written; a session that is not recorded is not opened.
    """
    settings = settings or load_settings()
    if problem := user_id_problem(user_id):
        raise UsageError(object="user_id", found=problem, expected="a user's id", remedy="Correct it.")
    if settings.backend != "parquet":
        raise UsageError(
            _SESSION,
            found=f"the backend {settings.backend}",
            expected="parquet: in BigQuery, row access policies give each account its own tenant's rows",
            remedy="Ask as an account that `tenant_principals` gives to the tenant (docs/bigquery.md).",
        )
    require_directory(settings.data_dir)
    entry = Entry(user_id, datetime.now(UTC), "open_session", by or account(), f"session {uuid4()}")
    with ThreadPoolExecutor(1) as beside:
        recorded = beside.submit(_record, settings.data_dir, entry)
        session = Session(user_id, settings)
    try:
        recorded.result()
    except BaseException:
        session.close()
        raise
    return session


def _record(data_dir: Path, entry: Entry) -> None:
    with ParquetStore(data_dir) as store:
        record(store, [entry])


def _limit(found: str, setting: str, value: object) -> UsageError:
    expected = f"at most {variable(setting)}={value}"
    return refusal(found=found, expected=expected, remedy="Ask for less at once: fewer months, columns or rows.")


def _files_below(directory: str) -> list[str]:
    try:
        with os.scandir(directory) as found:
            entries = list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []
    for entry in entries:
        if entry.is_symlink():
            raise SecurityError(
                _SESSION,
                found="a symbolic link among the tenant's files",
                expected="files and directories only, since a link may lead to anybody's rows",
                remedy="Tell the operator of the pipeline to replace it by what it leads to.",
            )
    directories = [path for entry in entries if entry.is_dir() for path in _files_below(entry.path)]
    return [*directories, *(entry.path for entry in entries if entry.is_file())]


def _without_paths(error: PipelineError, root: Path) -> PipelineError:
    fields = (_scrubbed(text, root) for text in (error.object, error.found, error.expected, error.remedy))
    subject, found, expected, remedy = fields
    return type(error)(subject, found=found, expected=expected, remedy=remedy)


def _scrubbed(text: str, root: Path) -> str:
    """Return a message without the paths of this machine."""
    return re.sub(rf"{re.escape(str(root))}|{re.escape(os.path.realpath(root))}", "…", text)


def _bytes(amount: str) -> int:
    number, unit = re.fullmatch(r"([\d.]+) ?(\w+)", amount).groups()  # type: ignore[union-attr]  # settings checked it
    return int(float(number) * _UNITS[unit.upper()])
