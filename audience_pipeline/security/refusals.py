"""Why credentials are refused, in words.

Belongs here: the codes and what each says. Does not belong here: the rules that find them (:mod:`.checking`). No text
here repeats a value; a key id is none.
"""

from enum import Enum
from typing import NamedTuple

from audience_pipeline.tables.declaration import Problem


class Code(Enum):
    """What is wrong with a member of the credentials."""

    PLAINTEXT = "plaintext"
    NOT_SEALED_V1 = "not_sealed_v1"
    UNKNOWN_KEY = "unknown_key"
    RETIRED_KEY = "retired_key"
    DOES_NOT_OPEN = "does_not_open"
    FINGERPRINT_MISMATCH = "fingerprint_mismatch"
    UNKNOWN_FIELD = "unknown_field"


class _Wording(NamedTuple):
    found: str
    expected: str
    remedy: str


_SEALED = "text in sealed format v1"
_SEAL = "Pass the record with its plaintext through `credentials seal` and land what comes out."
_WORDINGS = {
    Code.PLAINTEXT: _Wording("a secret in plaintext", _SEALED, _SEAL),
    Code.NOT_SEALED_V1: _Wording("a claim to be encrypted that does not hold", f"true, and {_SEALED}", _SEAL),
    Code.UNKNOWN_KEY: _Wording(
        "text sealed under key {key}, which this keyset does not have",
        "a key of this keyset",
        "Use the keyset it was sealed with, or seal the plaintext again with this one.",
    ),
    Code.RETIRED_KEY: _Wording(
        "text sealed under key {key}, which is retired",
        "an enabled key",
        "Seal the plaintext again: `credentials seal` uses the primary key.",
    ),
    Code.DOES_NOT_OPEN: _Wording(
        "sealed text that does not open here: damaged, or sealed for another user, platform or field",
        "text sealed for this field of this platform and user",
        "Seal the plaintext again with the user_id and platform_id of this record.",
    ),
    Code.FINGERPRINT_MISMATCH: _Wording(
        "a fingerprint that is not the one of the secrets, or none",
        "the fingerprint that `credentials seal` wrote (none where there are no secrets)",
        "Land fingerprint and secrets together, as `credentials seal` wrote them.",
    ),
    Code.UNKNOWN_FIELD: _Wording(
        "a field that credentials do not have",
        "api_key, account_id, additional_config",
        "Put further secrets into additional_config, then seal the record.",
    ),
}


def problem(field: str, code: Code, *, key: str | None = None) -> Problem:
    """Return the reason for refusing ``credentials.<field>``; ``key`` is the id of the key a sealed text names."""
    found, expected, remedy = _WORDINGS[code]
    return Problem(f"credentials.{field}", code.value, found.format(key=key), expected, remedy)
