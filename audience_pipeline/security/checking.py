"""The proof that credentials are sealed, for whatever is about to store or copy them.

Belongs here: the rules on landed credentials. Does not belong here: their wording (:mod:`.refusals`), sealing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from audience_pipeline.security import v1
from audience_pipeline.security.keyset import Keyset
from audience_pipeline.security.refusals import Code, problem
from audience_pipeline.security.sealing import FIELDS, is_sealed, secrets_of
from audience_pipeline.tables.declaration import Problem


def is_plaintext(credentials: object) -> bool:
    """Return whether ``credentials`` of a landed record, of any type, may hold a secret in plaintext.

    It says yes in doubt (a field nobody knows, text that only claims to be encrypted), because the answer decides
    whether the record may be copied: only sealed text, account id, flag and fingerprint are known to be harmless.
    """
    if not isinstance(credentials, Mapping):
        return credentials is not None
    return not all(value is None or _is_harmless(field, value) for field, value in credentials.items())


def check_sealed(credentials: Mapping[str, Any], *, user_id: str, platform_id: str, keyset: Keyset) -> list[Problem]:
    """Return every reason why ``credentials`` may not be stored: none if each secret opens where it stands.

    The codes are those of :class:`.refusals.Code`. ``not_sealed_v1`` is plaintext, or another format, under
    ``"encrypted": true``, and sealed text without that flag.
    """
    owner = v1.Owner(user_id, platform_id)
    claimed = credentials.get("encrypted") is True
    problems = [problem(field, Code.UNKNOWN_FIELD) for field in credentials if field not in FIELDS]
    texts: dict[str, str] = {}
    for field, value in secrets_of(credentials).items():
        opened = v1.open_sealed(value, field, owner, keyset)
        if isinstance(opened, Code):
            problems.append(_unopened(field, value, opened, claimed=claimed))
        else:
            texts[field] = opened.reveal()
    if not claimed and all(found.code != Code.PLAINTEXT.value for found in problems):
        problems.append(problem("encrypted", Code.NOT_SEALED_V1))
    if len(texts) == len(secrets_of(credentials)):
        problems.extend(_check_fingerprint(credentials.get("fingerprint"), texts, owner, keyset))
    return problems


def _unopened(field: str, value: object, code: Code, *, claimed: bool) -> Problem:
    if code is Code.NOT_SEALED_V1 and not claimed:
        code = Code.PLAINTEXT
    return problem(field, code, key=v1.key_of(value))


def _check_fingerprint(found: object, texts: Mapping[str, str], owner: v1.Owner, keyset: Keyset) -> Iterator[Problem]:
    if found != v1.fingerprint(texts, owner, keyset):
        yield problem("fingerprint", Code.FINGERPRINT_MISMATCH)


def _is_harmless(field: str, value: object) -> bool:
    match field:
        case "encrypted":
            return isinstance(value, bool)
        case "account_id":
            return isinstance(value, str | int)
        case "fingerprint":
            return isinstance(value, str) and v1.is_fingerprint(value)
        case _:
            return is_sealed(value)
