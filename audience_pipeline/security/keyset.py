"""The keyset: which keys seal, which open, and the key of the fingerprints.

Belongs here: the keys as values, their JSON form, and where a process finds them. Does not belong here: what is sealed
with them (:mod:`.sealing`), the care of the file (:mod:`.keyfile`), a file only a service can read (:mod:`.wrapping`).

Key material is 32 random bytes held in :class:`.Secret`, so a keyset prints without it. See ADR 0003 for why the JSON
form is our own.
"""

import base64
import os
import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec.structs import replace

from audience_pipeline.errors import SettingsError
from audience_pipeline.security import keyfile
from audience_pipeline.security.secret import Secret
from audience_pipeline.security.wrapping import KeyService, readable, wrapped

KEY_BYTES = 32

KeyId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}$")]


class Key(msgspec.Struct, frozen=True, kw_only=True, dict=True, forbid_unknown_fields=True):
    """One sealing key. A ``retired`` key neither seals nor opens; it is kept so that its texts can be named."""

    id: KeyId
    status: Literal["enabled", "retired"]
    material: Secret[bytes]

    @cached_property
    def cipher(self) -> AESGCM:
        """AES-256-GCM under this key."""
        return AESGCM(self.material.reveal())


class Keyset(msgspec.Struct, frozen=True, kw_only=True, dict=True, forbid_unknown_fields=True):
    """The keys of an installation.

    ``primary`` names the key that seals; every enabled key opens. ``fingerprint_key`` is never rotated: fingerprints
    stand for content in comparisons, and under another key every replay would read as a change.
    """

    version: Literal[1] = 1
    primary: KeyId
    keys: tuple[Key, ...]
    fingerprint_key: Secret[bytes]

    @cached_property
    def by_id(self) -> dict[str, Key]:
        """Every key, retired ones too, by its id."""
        return {key.id: key for key in self.keys}

    @property
    def primary_key(self) -> Key:
        """The key that seals."""
        return self.by_id[self.primary]


def load_keyset(*, path: Path, json: str | None, data_dir: Path, service: KeyService | None = None) -> Keyset:
    """Return the configured keyset as it is now: a file is read each time, since a rotation may have changed it.

    ``json``, the content itself (AUDIENCE_PIPELINE_KEYSET_JSON), goes before the file at ``path``
    (AUDIENCE_PIPELINE_KEYSET), which is made on first use. With ``service`` both are wrapped by its key.

    Raises:
        SettingsError: the content is no keyset, or not wrapped as configured, or the file is refused (see
            :func:`.keyfile.read_or_create`).
        StorageError: the file can't be read or made, or the service does not answer.
    """
    if json is not None:
        content, source = json.encode("utf-8", "surrogatepass"), "AUDIENCE_PIPELINE_KEYSET_JSON"
    else:
        source = f"keyset file {path}"
        content = keyfile.read_or_create(
            path, data_dir=data_dir, content=lambda: _kept(encode_keyset(generate_keyset()), service)
        )
    return parse_keyset(readable(content, service, source=source), source=source)


def save_keyset(keyset: Keyset, *, path: Path, data_dir: Path, service: KeyService | None = None) -> None:
    """Replace the keyset's file, whole or not at all; the caller holds :func:`.keyfile.exclusive`.

    Raises as :func:`load_keyset` does.
    """
    keyfile.replace(path, data_dir=data_dir, content=_kept(encode_keyset(keyset), service))


def _kept(content: bytes, service: KeyService | None) -> bytes:
    return content if service is None else wrapped(content, service)


def generate_keyset() -> Keyset:
    """Return a new keyset with one enabled key."""
    key = Key(id=os.urandom(4).hex(), status="enabled", material=_random_material())
    return Keyset(primary=key.id, keys=(key,), fingerprint_key=_random_material())


def with_new_key(keyset: Keyset) -> Keyset:
    """Return the keyset with one more key, which seals from now on; those it had still open."""
    key = generate_keyset().primary_key
    while key.id in keyset.by_id:
        key = generate_keyset().primary_key
    return replace(keyset, primary=key.id, keys=(*keyset.keys, key))


def with_others_retired(keyset: Keyset) -> Keyset:
    """Return the keyset in which only the key that seals still opens."""
    return _with_others(keyset, "retired")


def with_others_enabled(keyset: Keyset) -> Keyset:
    """Return the keyset in which every key opens: for what an enabled key had sealed when it was accepted."""
    return _with_others(keyset, "enabled")


def _with_others(keyset: Keyset, status: Literal["enabled", "retired"]) -> Keyset:
    return replace(
        keyset, keys=tuple(key if key.id == keyset.primary else replace(key, status=status) for key in keyset.keys)
    )


def encode_keyset(keyset: Keyset) -> bytes:
    """Return the JSON form of ``keyset``, key material included: write it only to a private place."""
    encoded = msgspec.json.encode(keyset, enc_hook=_material_to_text)
    return msgspec.json.format(encoded, indent=2) + b"\n"


def parse_keyset(content: bytes, *, source: str) -> Keyset:
    """Return the keyset whose JSON form is ``content``; ``source`` is what to call it in an error.

    Raises:
        SettingsError: it is no keyset. The error names the place in the JSON, never what stands there.
    """
    parsed = _decode(content)
    fault = parsed if isinstance(parsed, str) else _inconsistency(parsed)
    if isinstance(parsed, str) or fault is not None:
        raise SettingsError(
            source,
            found=str(fault),
            expected="a keyset of version 1 as the pipeline wrote it",
            remedy="Restore it from its backup: what was sealed opens under no other. If nothing was sealed yet, remove"
            " it, and a new keyset is made.",
        )
    return parsed


def _decode(content: bytes) -> Keyset | str:
    """Return the keyset, or what is wrong with ``content``.

    A fault is returned, not raised, so that no decoder's exception, which may quote or hold the content, becomes the
    context of ours.
    """
    if not content.strip():
        return "nothing: it is empty"
    try:
        return msgspec.json.decode(content, type=Keyset, dec_hook=_material_from_text)
    except msgspec.ValidationError as error:
        place = re.search(r"`(\$[\w.\[\]]*)`$", str(error))
        return f"JSON that is no keyset (at {place[1]})" if place else "JSON that is no keyset"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"{len(content)} bytes that are no JSON"


def _inconsistency(keyset: Keyset) -> str | None:
    """Return what is wrong among the members of a well-formed keyset."""
    if len(keyset.by_id) < len(keyset.keys):
        return "two keys of one id"
    if keyset.primary not in keyset.by_id:
        return f"no key {keyset.primary}, which is named as primary"
    if keyset.primary_key.status != "enabled":
        return f"a primary key, {keyset.primary}, that is retired"
    return None


def _random_material() -> Secret[bytes]:
    return Secret(os.urandom(KEY_BYTES))


def _material_to_text(material: Secret[bytes]) -> str:
    return base64.b64encode(material.reveal()).decode()


def _material_from_text(_: type, text: object) -> Secret[bytes]:
    """Decode key material; the message holds none of it."""
    try:
        material = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        material = b""
    if len(material) != KEY_BYTES:
        message = "not 32 bytes in base64"
        raise ValueError(message)
    return Secret(material)
