"""Credentials brought under the key that seals now.

Belongs here: the texts of one row. Does not belong here: which rows there are, or writing them.
"""

from collections.abc import Mapping
from typing import Any

from audience_pipeline.security import v1
from audience_pipeline.security.keyset import Keyset
from audience_pipeline.security.refusals import Code, problem
from audience_pipeline.security.sealing import secrets_of
from audience_pipeline.tables.declaration import Problem


def keys_of(credentials: Mapping[str, Any]) -> set[str]:
    """Return the ids of the keys that sealed the secrets of ``credentials``."""
    return {key for value in secrets_of(credentials).values() if (key := v1.key_of(value)) is not None}


def replacements(
    credentials: Mapping[str, Any], owner: v1.Owner, *, opening: Keyset, keyset: Keyset
) -> dict[str, str] | Problem:
    """Return, by sealed text that is under another key than ``keyset`` seals with, the text to put in its place.

    ``opening`` opens them. Nothing else has to change, the fingerprint included: its key is never rotated. Where one
    does not open, the reason comes back.
    """
    found: dict[str, str] = {}
    for field, value in secrets_of(credentials).items():
        key = v1.key_of(value)
        if key != keyset.primary:
            opened = v1.open_sealed(value, field, owner, opening)
            if isinstance(opened, Code):
                return problem(field, opened, key=key)
            found[value] = v1.seal(opened.reveal(), field, owner, keyset)
    return found
