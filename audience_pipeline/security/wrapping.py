"""A keyset that only a key management service can read: the envelope it is kept in, and the way in and out.

Belongs here: the form of the envelope, and whose key it must name. Does not belong here: calling the service
(:mod:`.kms`), or where the bytes are kept (:mod:`.keyset`).

An envelope is JSON: ``version`` 1, ``wrapped_by`` (the service's key) and ``keyset`` (the wrapped bytes in base64). It
names the key so that an error can say which one is asked for; it is not believed: only the configured key unwraps,
since whoever may write the file could name a key of their own.
"""

from collections.abc import Hashable
from functools import lru_cache
from threading import Lock
from typing import Literal, Protocol

import msgspec

from audience_pipeline.errors import SettingsError, StorageError

_WRAP = "Run `audience-pipeline credentials wrap` once, which wraps it under that key."
_ONE_CALL = Lock()


class KeyService(Hashable, Protocol):
    """A key of a key management service; equal for the same key of the same service."""

    @property
    def uri(self) -> str:
        """Identifies the key, as in AUDIENCE_PIPELINE_KMS_KEY_URI."""

    def wrap(self, plain: bytes) -> bytes:
        """Return ``plain`` encrypted under the key."""

    def unwrap(self, wrapped: bytes) -> bytes:
        """Return what was wrapped."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wrapped keyset, and the key that wrapped it."""

    version: Literal[1] = 1
    wrapped_by: str
    keyset: bytes


def envelope_of(content: bytes, *, source: str) -> Envelope | None:
    """Return the envelope whose JSON form is ``content``, or None if it is something else; ``source`` names it.

    Raises:
        SettingsError: it is a damaged envelope.
    """
    try:
        members = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not isinstance(members, dict) or "wrapped_by" not in members:
        return None
    try:
        return msgspec.convert(members, Envelope, builtin_types=())
    except msgspec.ValidationError as error:
        raise SettingsError(
            source,
            found=f"a wrapped keyset that is damaged ({error})",
            expected="one of version 1 as the pipeline wrote it",
            remedy="Restore it from its backup: what was sealed opens under no other.",
        ) from None


def wrapped(plain: bytes, service: KeyService) -> bytes:
    """Return ``plain``, the JSON form of a keyset, as an envelope's JSON form that is known to open again.

    Who may encrypt with a key need not be allowed to decrypt with it, and a keyset that does not open is lost.

    Raises as :meth:`KeyService.wrap` does, and StorageError where something else comes back.
    """
    envelope = Envelope(wrapped_by=service.uri, keyset=service.wrap(plain))
    if _unwrapped(service, envelope.keyset) != plain:
        raise StorageError(
            service.uri,
            found="a keyset that is another one when it is unwrapped",
            expected="the same",
            remedy="Use another key; nothing was written.",
        )
    return msgspec.json.format(msgspec.json.encode(envelope), indent=2) + b"\n"


def readable(content: bytes, service: KeyService | None, *, source: str) -> bytes:
    """Return the JSON form of a keyset from what is kept: itself, or what ``service`` makes of its envelope.

    The service is called once a process and content.

    Raises:
        SettingsError: it is wrapped and no service is configured, or by another key, or not although one is; or the
            service does not unwrap it.
        UnavailableError: the service does not answer.
    """
    envelope = envelope_of(content, source=source)
    if envelope is None and service is None:
        return content
    if envelope is None or service is None or envelope.wrapped_by != service.uri:
        raise _mismatch(source, envelope, service)
    with _ONE_CALL:
        return _unwrapped(service, envelope.keyset)


@lru_cache(maxsize=4)
def _unwrapped(service: KeyService, keyset: bytes) -> bytes:
    return service.unwrap(keyset)


def _mismatch(source: str, envelope: Envelope | None, service: KeyService | None) -> SettingsError:
    if service is None:
        expected, remedy = "one that is not, since no key is configured", "Set AUDIENCE_PIPELINE_KMS_KEY_URI to it."
    else:
        expected, remedy = f"one wrapped by {service.uri}", _WRAP
    found = f"a keyset wrapped by {envelope.wrapped_by}" if envelope else "a keyset that is not wrapped"
    return SettingsError(source, found=found, expected=expected, remedy=remedy)
