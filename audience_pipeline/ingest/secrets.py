"""Secrets on their way in: whose keys, and what may be kept of a refused record.

Belongs here: the choice of the keyset, and of the bytes that go into quarantine. Does not belong here: sealing.

The rule: a refused line may hold a secret unless it is known not to. In a table with secrets, that is known only of a
record all of whose members are declared and all of whose secrets are sealed: a member nobody declared may be a secret
under a wrong name, and a line that is no JSON may have one anywhere. In the other tables it is known of whatever has no
member, at any depth, that is named like a secret, and is no record of a table with secrets that lost its way.

What may hold a secret is copied nowhere: not to quarantine, and its file stays where its sender put it
(:mod:`.plaintext`).
"""

from typing import TYPE_CHECKING, Any

import msgspec

from audience_pipeline.ingest.wire import wire_type
from audience_pipeline.security.checking import is_plaintext
from audience_pipeline.security.keyset import Keyset, load_keyset
from audience_pipeline.security.kms import GoogleKms
from audience_pipeline.security.sealing import SECRET_FIELDS, is_sealed
from audience_pipeline.tables import SOURCES, Table

if TYPE_CHECKING:
    from audience_pipeline.settings import Settings

_SECRET_COLUMNS = {column.name for table in SOURCES for column in table.columns if column.secret}


def configured_keyset(settings: "Settings") -> Keyset:
    """Return the keyset the settings name, made on first use.

    Raises:
        SettingsError: it is no keyset.
        StorageError: it cannot be read or made.
    """
    content = settings.keyset_json.get_secret_value() if settings.keyset_json is not None else None
    service = configured_service(settings)
    return load_keyset(path=settings.keyset, json=content, data_dir=settings.data_dir, service=service)


def configured_service(settings: "Settings") -> GoogleKms | None:
    """Return the key that wraps the keyset, if the settings name one."""
    return GoogleKms(settings.kms_key_uri, settings.kms_endpoint) if settings.kms_key_uri is not None else None


def has_secrets(table: Table) -> bool:
    """Return whether records of ``table`` may hold secrets."""
    return any(column.secret for column in table.columns)


def keepable(table: Table, line: bytes, value: object) -> bytes | None:
    """Return ``line`` if it may be kept as it is, or None; ``value`` is its JSON value, None if it has none."""
    return None if may_hold_secret(table, line, value) else line


def keepable_head(table: Table, head: bytes) -> bytes:
    """Return the first bytes of a line that was not read as a whole if they may be kept, or none."""
    return b"" if may_hold_secret(table, head, None) else head


def may_hold_secret(table: Table, line: bytes, value: object) -> bool:
    """Return whether a line sent to ``table`` may hold a secret in plaintext; ``value`` is its JSON value, if any."""
    if has_secrets(table):
        return not (isinstance(value, dict) and is_declared(table, value))
    if isinstance(value, dict):
        return _names_secret(value) or any(
            each in value and not is_declared(owner, value) for owner, names in _MARKS.items() for each in names
        )
    marks = {*_SECRET_COLUMNS, *SECRET_FIELDS}.union(*_MARKS.values())
    return any(f'"{name}"'.encode() in line for name in marks)


def _marks() -> dict[Table, frozenset[str]]:
    """Return, by table with secrets, the required members by which its records are told from those of others."""
    others = {column.name for table in SOURCES if not has_secrets(table) for column in table.columns}
    return {
        table: frozenset(column.name for column in table.columns if column.required) - others
        for table in SOURCES
        if has_secrets(table)
    }


_MARKS = _marks()


def _names_secret(value: object) -> bool:
    """Return whether a member at any depth is named like a secret and is not sealed."""
    if isinstance(value, list):
        return any(map(_names_secret, value))
    if not isinstance(value, dict):
        return False
    return any(_is_secret(name, each) or _names_secret(each) for name, each in value.items())


def _is_secret(name: str, value: object) -> bool:
    if name in _SECRET_COLUMNS:
        return is_plaintext(value)
    return name in SECRET_FIELDS and value is not None and not is_sealed(value)


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
