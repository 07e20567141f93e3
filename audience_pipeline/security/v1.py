"""Sealed format v1: one secret text, sealed for one place.

Belongs here: the bytes of the format (``v1.<key id>.<base64url of nonce, ciphertext and tag>``), what is authenticated
with them, and the fingerprint. Does not belong here: which fields of a record are secret (:mod:`.sealing`).

The format is frozen; ADR 0003 specifies it. Opening raises on no input: a text opens, or there is a code for
why not.
"""

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from cryptography.exceptions import InvalidTag

from audience_pipeline.security.keyset import Keyset
from audience_pipeline.security.refusals import Code
from audience_pipeline.security.secret import Secret

NONCE_BYTES = 12

_SEALED = re.compile(r"v1\.(?P<key>[0-9a-f]{8})\.(?P<body>[A-Za-z0-9_-]{38,})")
_FINGERPRINT = re.compile(r"v1\.[A-Za-z0-9_-]{43}")
_SEALING = "audience_pipeline sealed v1"
_FINGERPRINTING = "audience_pipeline fingerprint v1"


class Owner(NamedTuple):
    """Whose credentials: the row a sealed text belongs to. Moved to another row it doesn't open."""

    user_id: str
    platform_id: str


def seal(text: str, field: str, owner: Owner, keyset: Keyset) -> str:
    """Return ``text`` sealed for ``field`` of ``owner`` under the primary key; differs at each call.

    The nonce is random, so one key must not seal more than 2**32 texts: rotate long before.
    """
    key = keyset.primary_key
    nonce = os.urandom(NONCE_BYTES)
    ciphertext = key.cipher.encrypt(nonce, text.encode(), _associated(key.id, field, owner))
    return f"v1.{key.id}.{_to_base64url(nonce + ciphertext)}"


def open_sealed(sealed: object, field: str, owner: Owner, keyset: Keyset) -> Secret[str] | Code:
    """Return the text sealed in ``sealed`` for ``field`` of ``owner``, or why it doesn't open."""
    match = _match(sealed)
    if match is None:
        return Code.NOT_SEALED_V1
    key = keyset.by_id.get(match["key"])
    if key is None:
        return Code.UNKNOWN_KEY
    if key.status == "retired":
        return Code.RETIRED_KEY
    body = _from_base64url(match["body"])
    if body is None:
        return Code.DOES_NOT_OPEN
    try:
        text = key.cipher.decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], _associated(key.id, field, owner))
        return Secret(text.decode())
    except (InvalidTag, UnicodeDecodeError):
        return Code.DOES_NOT_OPEN


def key_of(sealed: object) -> str | None:
    """Return the id of the key a sealed text names, or None if it is no sealed text."""
    match = _match(sealed)
    return match["key"] if match else None


def fingerprint(texts: Mapping[str, str], owner: Owner, keyset: Keyset) -> str | None:
    """Return the keyed hash that stands for the plaintext ``texts``, by field, of ``owner``; None for no texts.

    Equal for equal texts of one owner and otherwise unrelated, so it tells nobody that two tenants share a secret, and
    without the fingerprint key a guess can't be tried against it.
    """
    if not texts:
        return None
    members = (part for field in sorted(texts) for part in (field, texts[field]))
    message = _framed(_FINGERPRINTING, owner.user_id, owner.platform_id.lower(), *members)
    return "v1." + _to_base64url(hmac.digest(keyset.fingerprint_key.reveal(), message, hashlib.sha256))


def is_fingerprint(text: str) -> bool:
    """Return whether ``text`` has the form of a fingerprint."""
    return _FINGERPRINT.fullmatch(text) is not None


def _match(sealed: object) -> re.Match[str] | None:
    return _SEALED.fullmatch(sealed) if isinstance(sealed, str) else None


def _associated(key_id: str, field: str, owner: Owner) -> bytes:
    return _framed(_SEALING, key_id, owner.user_id, owner.platform_id.lower(), field)


def _framed(*parts: str) -> bytes:
    """Join ``parts`` so that no other parts give the same bytes: each after its length, 4 bytes big-endian."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def _to_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_base64url(text: str) -> bytes | None:
    """Decode the one spelling :func:`_to_base64url` gives; others, differing in unused bits, are refused."""
    if len(text) % 4 == 1:
        return None
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return data if _to_base64url(data) == text else None
