"""Whether the records a record refers to exist for the same user.

Belongs here: the check, and the reason. A record of another user reads like an absent one, so that nobody learns from a
refusal which ids exist.
"""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from audience_pipeline.storage.contract import TableStore
from audience_pipeline.tables import TABLES, Problem, Reference, Table


def missing_references(store: TableStore, table: Table, rows: pa.Table) -> dict[int, list[Reference]]:
    """Return, by row index, the references of ``rows`` whose record does not exist for the row's user.

    A record that was accepted and is not in its table yet exists.
    """
    missing: dict[int, list[Reference]] = {}
    users = rows.column("user_id").to_pylist()
    for reference in table.references:
        keys = rows.column(reference.column).to_pylist()
        owners = _owners(store, TABLES[reference.table], keys)
        for index, (key, user_id) in enumerate(zip(keys, users, strict=True)):
            if owners.get(key) != user_id:
                missing.setdefault(index, []).append(reference)
    return missing


def _owners(store: TableStore, table: Table, keys: Sequence[str]) -> Mapping[str, str]:
    placements = store.placements(table, sorted(set(keys)))
    return {key: place.user_id for key, place in placements.items()}


def reference_missing(reference: Reference, key: str, hours: int) -> Problem:
    """Say that a record refers to one that is not there."""
    return Problem(
        reference.column,
        "reference_missing",
        key,
        f"a record of the same user in {reference.table}",
        f"Land it in {reference.table}; this record is then tried again by itself, for {hours} hours.",
    )
