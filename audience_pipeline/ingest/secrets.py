"""Secrets on their way in: whose keys, and what may be kept of a refused record.

Belongs here: the choice of the keyset, and of the bytes that go into quarantine. Does not belong here: sealing.

A table with secrets keeps only what it declares: a member nobody declared may be a secret under a wrong name, and a
line that is no JSON may have one anywhere. Whole files with plaintext credentials never get this far
(:mod:`.plaintext`).
"""

from typing import TYPE_CHECKING, Any

import msgspec

from audience_pipeline.ingest.wire import wire_type
from audience_pipeline.security.checking import is_plaintext
from audience_pipeline.security.keyset import Keyset, load_keyset
from audience_pipeline.tables import Table

if TYPE_CHECKING:
    from audience_pipeline.settings import Settings


def configured_keyset(settings: "Settings") -> Keyset:
    """Return the keyset the settings name, made on first use.

    Raises:
        SettingsError: it is no keyset.
        StorageError: it cannot be read or made.
    """
    content = settings.keyset_json.get_secret_value() if settings.keyset_json is not None else None
    return load_keyset(path=settings.keyset, json=content, data_dir=settings.data_dir)


def has_secrets(table: Table) -> bool:
    """Return whether records of ``table`` may hold secrets."""
    return any(column.secret for column in table.columns)


def keepable(table: Table, line: bytes, value: object) -> bytes | None:
    """Return ``line`` if it may be kept as it is, or None; ``value`` is its JSON value, None if it has none."""
    if not has_secrets(table):
        return line
    return line if isinstance(value, dict) and _is_declared(table, value) else None


def _is_declared(table: Table, record: dict[str, Any]) -> bool:
    """Return whether every member is one that is declared, and no declared secret is in plaintext."""
    kind = msgspec.inspect.type_info(wire_type(table, bounded=False))
    secret = (record.get(column.name) for column in table.columns if column.secret)
    return _has_only_declared(kind, record) and not any(is_plaintext(value) for value in secret)


def _has_only_declared(kind: msgspec.inspect.Type, value: object) -> bool:
    match kind:
        case msgspec.inspect.UnionType():
            return value is None or all(_has_only_declared(each, value) for each in kind.types if _is_object(each))
        case msgspec.inspect.StructType() if isinstance(value, dict):
            members = {member.name: member.type for member in kind.fields}
            return all(name in members and _has_only_declared(members[name], each) for name, each in value.items())
        case msgspec.inspect.StructType():
            return value is None
        case _:
            return not isinstance(value, dict)


def _is_object(kind: msgspec.inspect.Type) -> bool:
    return not isinstance(kind, msgspec.inspect.NoneType)
