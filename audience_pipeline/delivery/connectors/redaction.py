"""Redaction: what a platform said, without the secrets it was told.

Belongs here: taking secrets out of a text in every form they travel in, and making it fit for one line of a record.
Does not belong here: deciding what is worth recording.

Platforms repeat what they were sent, above all a key they do not know. So nothing a platform said is kept, shown or
raised before it went through here.
"""

import base64
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

import msgspec

from audience_pipeline.security import Secret
from audience_pipeline.security.secret import MASK

_LONGEST = 500
_SHORTEST_MEMBER = 6
"""Members of a configuration that are shorter are no secrets: a region, a flag. Masking them would hide the rest."""


class Redactor:
    """Replaces secrets by ``***``; it prints none of them."""

    __slots__ = ("_secrets",)

    def __init__(self, secrets: Iterable[Secret[str]] = ()) -> None:
        self._secrets = tuple(secrets)

    def __call__(self, text: str) -> str:
        """Return ``text`` on one line, without secrets and control characters, cut to 500 characters."""
        forms = {form for secret in self._secrets for part in _parts(secret.reveal()) for form in _forms(part)}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, MASK)
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _parts(secret: str) -> Iterator[str]:
    """Yield a secret, and the texts in it where it is JSON."""
    yield secret
    try:
        members = msgspec.json.decode(secret)
    except (msgspec.DecodeError, ValueError):
        return
    yield from (text for text in _texts(members) if len(text) >= _SHORTEST_MEMBER)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from _texts(member)


def _forms(text: str) -> Iterator[str]:
    """Yield what a text becomes in a URL, in JSON and in an authorization header."""
    if not text:
        return
    yield from (text, quote(text, safe=""), quote(text), quote_plus(text))
    yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    for encoded in (text, f"{text}:"):
        yield base64.b64encode(encoded.encode()).decode().rstrip("=")
