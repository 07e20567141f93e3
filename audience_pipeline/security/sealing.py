"""Sealing and opening the credentials of a platform.

Belongs here: which members of ``credentials`` are secret, and the way from plaintext to sealed and back. Does not
belong here: the sealed text itself (:mod:`.v1`), the proof that landed credentials are sealed (:mod:`.checking`).

Plaintext credentials look like ``{"api_key": text, "account_id": text, "additional_config": object or text}``; sealed
ones like ``{"encrypted": true, "account_id": text, "api_key": sealed, "additional_config": sealed, "fingerprint":
text}``. Null means absent.
"""

import copy
import re
from collections.abc import Mapping
from typing import Any

from audience_pipeline.errors import RefusedError
from audience_pipeline.security import v1
from audience_pipeline.security.keyset import Keyset
from audience_pipeline.security.refusals import Code, problem
from audience_pipeline.security.secret import Secret
from audience_pipeline.tables.canonical import canonical_json
from audience_pipeline.tables.declaration import Problem

SECRET_FIELDS = ("api_key", "additional_config")
FIELDS = ("encrypted", "account_id", *SECRET_FIELDS, "fingerprint")

_SEALABLE = {
    "api_key": "text without lone surrogates",
    "additional_config": "a JSON object (integers within 64 bits), or text, without lone surrogates",
}
_SURROGATE = re.compile("[\ud800-\udfff]")


def seal_platform(record: Mapping[str, Any], keyset: Keyset) -> dict[str, Any]:
    """Return the platform ``record`` with its plaintext credentials sealed; the secrets of a replay fingerprint alike.

    A record without credentials, or with sealed ones, comes back as it is, so sealing a stream twice is harmless.
    (Whether sealed text opens is not asked here; :func:`.checking.check_sealed` does.)

    Raises:
        RefusedError: the record names no user or platform to seal for, the credentials are no object or have unknown
            fields, a secret is no text, or plaintext stands beside sealed text or claims to be encrypted.
    """
    credentials = record.get("credentials")
    if credentials is None:
        return dict(record)
    owner = _owner(record)
    _require_fields(credentials, owner)
    secrets = secrets_of(credentials)
    if credentials.get("encrypted") not in (None, False) or any(map(is_sealed, secrets.values())):
        _require_sealed(secrets, owner)
        return dict(record)
    texts = {field: _text(field, value, owner) for field, value in secrets.items()}
    return {**record, "credentials": _seal(texts, credentials.get("account_id"), owner, keyset)}


def open_field(sealed: str, *, field: str, user_id: str, platform_id: str, keyset: Keyset) -> Secret[str]:
    """Return the secret sealed in one field; an ``additional_config`` that was an object comes as canonical JSON.

    Raises:
        RefusedError: the text is not sealed for this field of this platform under an enabled key.
    """
    owner = v1.Owner(user_id, platform_id)
    opened = v1.open_sealed(sealed, field, owner, keyset)
    if isinstance(opened, Code):
        raise _refused(owner, problem(field, opened, key=v1.key_of(sealed)))
    return opened


def open_credentials(
    credentials: Mapping[str, Any], *, user_id: str, platform_id: str, keyset: Keyset
) -> dict[str, Secret[str]]:
    """Return the secrets of sealed ``credentials`` by field, absent ones left out.

    Raises:
        RefusedError: one of them is not sealed for its field of this platform under an enabled key.
    """
    return {
        field: open_field(sealed, field=field, user_id=user_id, platform_id=platform_id, keyset=keyset)
        for field, sealed in secrets_of(credentials).items()
    }


def secrets_of(credentials: Mapping[str, Any]) -> dict[str, Any]:
    """Return the secret members that are there, plaintext or sealed, by field."""
    return {field: credentials[field] for field in SECRET_FIELDS if credentials.get(field) is not None}


def is_sealed(value: object) -> bool:
    """Return whether ``value`` has the form of a sealed text; whether it opens is another question."""
    return v1.key_of(value) is not None


def _seal(texts: dict[str, str], account_id: object, owner: v1.Owner, keyset: Keyset) -> dict[str, Any]:
    credentials = {
        "encrypted": True,
        "account_id": account_id,
        **{field: v1.seal(text, field, owner, keyset) for field, text in texts.items()},
        "fingerprint": v1.fingerprint(texts, owner, keyset),
    }
    return {field: value for field, value in credentials.items() if value is not None}


def _text(field: str, value: object, owner: v1.Owner) -> str:
    """Return the text that stands for a secret when it is sealed."""
    text = _json_text(value) if field == "additional_config" and isinstance(value, dict) else value
    if isinstance(text, str) and not _SURROGATE.search(text):
        return text
    subject = f"credentials.{field} of platform {owner.platform_id}"
    raise RefusedError(
        subject,
        found=f"a value of type {type(value).__name__} that cannot be sealed",
        expected=_SEALABLE[field],
        remedy="Correct the record and seal it again.",
    )


def _json_text(value: dict[str, Any]) -> str | None:
    """Return ``value`` as canonical JSON, so that a replay has the same fingerprint; None if it can't be written.

    It works on a copy, as making JSON canonical changes it in place. Exceptions end here: they carry the text they
    stumbled over.
    """
    try:
        return canonical_json(copy.deepcopy(value)) or "{}"
    except (UnicodeEncodeError, TypeError, OverflowError, RecursionError):
        return None


def _owner(record: Mapping[str, Any]) -> v1.Owner:
    user_id, platform_id = record.get("user_id"), record.get("platform_id")
    if isinstance(user_id, str) and isinstance(platform_id, str) and user_id and platform_id:
        return v1.Owner(user_id, platform_id)
    subject = "platform record"
    raise RefusedError(
        subject,
        found="no user_id or no platform_id",
        expected="both: credentials are sealed for one platform of one user and open nowhere else",
        remedy="Add them and seal the record again.",
    )


def _require_fields(credentials: object, owner: v1.Owner) -> None:
    if not isinstance(credentials, dict):
        subject = f"credentials of platform {owner.platform_id}"
        raise RefusedError(
            subject,
            found=f"a value of type {type(credentials).__name__}",
            expected=f"an object of {', '.join(FIELDS)}",
            remedy="Correct the record and seal it again.",
        )
    for field in credentials:
        if field not in FIELDS:
            raise _refused(owner, problem(field, Code.UNKNOWN_FIELD))


def _require_sealed(secrets: Mapping[str, Any], owner: v1.Owner) -> None:
    """Refuse to seal twice what may be sealed already, and to pass on what is not."""
    for field, value in secrets.items():
        if not is_sealed(value):
            raise _refused(owner, problem(field, Code.NOT_SEALED_V1))


def _refused(owner: v1.Owner, reason: Problem) -> RefusedError:
    return RefusedError(
        f"{reason.field} of platform {owner.platform_id}",
        found=reason.found,
        expected=reason.expected,
        remedy=reason.remedy,
    )
