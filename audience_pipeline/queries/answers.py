"""Answers to the access patterns, the same from every backend.

Belongs here: checking a question before anybody reads for it, and choosing who does. Does not belong here: the
questions (:mod:`.patterns`), or how rows are found in files (:mod:`.files`) or in BigQuery (:mod:`.warehouse`).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from audience_pipeline.errors import UsageError
from audience_pipeline.queries.files import FileReader, FileStore
from audience_pipeline.queries.patterns import LARGEST_LIMIT, AccessPattern, pattern_named
from audience_pipeline.tables import TABLES, Table

if TYPE_CHECKING:
    import pyarrow as pa

    from audience_pipeline.queries.warehouse import WarehouseStore

    QueryStore: TypeAlias = FileStore | WarehouseStore


class Reader(Protocol):
    """Who finds the rows of a question that was checked."""

    def rows(self, pattern: AccessPattern, arguments: Mapping[str, Any], archive: Table | None) -> "pa.Table":
        """Return the rows a pattern finds in its table, or also in an archive of it, in the documented types."""

    def count(self, pattern: AccessPattern, arguments: Mapping[str, Any], archive: Table) -> int:
        """Return how many more rows a pattern finds in an archive."""


def run(store: "QueryStore", name: str, *, include_archive: bool = False, **parameters: Any) -> "pa.Table":  # noqa: ANN401 - each parameter has its own type
    """Answer one access pattern.

    Args:
        store: an open store, of either backend.
        name: one of `PATTERNS`, such as "user-audiences".
        include_archive: whether archived rows are part of the answer; only where the table has an archive.
        **parameters: the pattern's; a `since` without a zone is UTC.

    Returns:
        The rows in the documented columns, types and order, without the secret columns. Nothing found is a table
        without rows.

    Raises:
        UsageError: no such pattern, or parameters it does not take.
        StorageError: the service did not answer, or a file could not be read (CorruptionError).
        ConflictError: files were replaced again and again while they were read.
    """
    pattern = pattern_named(name)
    arguments = pattern.arguments(parameters)
    archive = _archive(pattern) if include_archive else None
    return _reader(store).rows(pattern, arguments, archive)


def count_archived(store: "QueryStore", name: str, **parameters: Any) -> int:  # noqa: ANN401 - as for run
    """Return how many archived rows a pattern would find without a limit (0 where the table has no archive)."""
    pattern = pattern_named(name)
    if pattern.table.archive is None:
        return 0
    arguments = pattern.arguments(parameters)
    unlimited = {**arguments, **({"limit": LARGEST_LIMIT} if "limit" in arguments else {})}
    return _reader(store).count(pattern, unlimited, _archive(pattern))


def _reader(store: "QueryStore") -> Reader:
    """Return who reads a store of its kind."""
    if isinstance(store, FileStore):
        return FileReader(store)
    from audience_pipeline.queries.warehouse import WarehouseReader  # noqa: PLC0415 - the other backend's

    return WarehouseReader(store)


def _archive(pattern: AccessPattern) -> Table:
    if pattern.table.archive is None:
        raise UsageError(
            pattern.name,
            found="include_archive",
            expected=f"none of it: {pattern.table.name} are not archived",
            remedy="Ask without it.",
        )
    return TABLES[pattern.table.archive]
