"""Which keys are in use: sealed rows counted by key, and those that do not open.

Belongs here: the counts. Does not belong here: changing anything. Every row is opened, for that is the only proof that
it can be.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from audience_pipeline.ingest.quarantine import Quarantine
from audience_pipeline.ingest.secrets import has_secrets
from audience_pipeline.security import check_sealed
from audience_pipeline.security.keyset import Keyset
from audience_pipeline.security.resealing import keys_of
from audience_pipeline.storage.contract import TableStore
from audience_pipeline.storage.resealing import SealedText, sealed_texts
from audience_pipeline.tables import SOURCES, Problem

QUARANTINE = "quarantine"
UNKNOWN = "unknown"


class Use(NamedTuple):
    """How many rows of a table have a secret under a key; ``status`` is primary, enabled, retired or unknown."""

    key: str
    status: str
    table: str
    rows: int


class Unopened(NamedTuple):
    """A row whose secrets do not open, and the first reason."""

    table: str
    place: str
    user_id: str
    problem: Problem


@dataclass(slots=True)
class Keys:
    """The keys of a keyset and what is sealed under each, and rows that do not open."""

    uses: list[Use] = field(default_factory=list)
    unopened: list[Unopened] = field(default_factory=list)


def count_keys(store: TableStore, quarantine: Quarantine, keyset: Keyset) -> Keys:
    """Open every sealed row of the tables with secrets, and count them by key; refused records are only counted."""
    found = Keys()
    counts: Counter[tuple[str, str]] = Counter()
    for text in _texts(store):
        credentials = msgspec.json.decode(text.text)
        counts.update((text.table.name, key) for key in keys_of(credentials))
        problems = check_sealed(credentials, user_id=text.user_id, platform_id=text.key, keyset=keyset)
        if problems:
            found.unopened.append(Unopened(text.table.name, str(text.place), text.user_id, problems[0]))
    for table in SOURCES:
        if has_secrets(table):
            for record in quarantine.records(table.name):
                counts.update((QUARANTINE, key) for key in _keys_of_record(record))
    places = list(dict.fromkeys(table for table, _ in counts))
    for key in dict.fromkeys([*keyset.by_id, *(key for _, key in counts)]):
        rows = [(table, counts[table, key]) for table in places if counts[table, key]]
        found.uses += [Use(key, _status(keyset, key), *each) for each in rows or [("", 0)]]
    return found


def _texts(store: TableStore) -> Iterator[SealedText]:
    for table in SOURCES:
        if has_secrets(table):
            for portion in sealed_texts(store, table):
                yield from portion


def _keys_of_record(record: bytes) -> set[str]:
    """Return the keys that sealed the secrets of a refused record, whatever else is wrong with it."""
    try:
        members = msgspec.json.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return set()
    credentials = members.get("credentials") if isinstance(members, dict) else None
    return keys_of(credentials) if isinstance(credentials, dict) else set()


def _status(keyset: Keyset, key: str) -> str:
    if key == keyset.primary:
        return "primary"
    return keyset.by_id[key].status if key in keyset.by_id else UNKNOWN
