"""Secrets on their way in: whose keys, and what may be kept of a refused record.

Belongs here: the choice of the keyset, and of the bytes that go into quarantine. Does not belong here: sealing.

A table with secrets keeps only what it declares: a member nobody declared may be a secret under a wrong name, and a
line that is no JSON may have one anywhere. Whole files with plaintext credentials never get this far
(:mod:`.plaintext`). The other tables keep everything but a record that belongs to a table with secrets and was sent to
the wrong one.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from audience_pipeline.ingest.wire import wire_type
from audience_pipeline.security.checking import is_plaintext
from audience_pipeline.security.keyset import Keyset, load_keyset
from audience_pipeline.tables import SOURCES, Table

if TYPE_CHECKING:
    from audience_pipeline.settings import Settings

_SECRET_COLUMNS = tuple(column.name for table in SOURCES for column in table.columns if column.secret)


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
    if has_secrets(table):
        return line if isinstance(value, dict) and is_declared(table, value) else None
    return None if _is_astray(line, value) else line


def keepable_head(table: Table, head: bytes) -> bytes:
    """Return the first bytes of a line that was not read as a whole if they may be kept, or none."""
    return b"" if has_secrets(table) or _is_astray(head, None) else head


def _is_astray(line: bytes, value: object) -> bool:
    """Return whether a line sent to a table without secrets may hold some all the same."""
    if isinstance(value, dict):
        return any(is_plaintext(value.get(name)) for name in _SECRET_COLUMNS)
    return any(f'"{name}"'.encode() in line for name in _SECRET_COLUMNS)


def is_declared(table: Table, record: dict[str, Any]) -> bool:
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
