"""Numbers that belong to a person: phones, payment cards, national identity numbers.

A number inside a longer token of letters, digits, ``_`` and ``-`` is part of a code and does not count.
"""

import re
from functools import cache
from typing import Any

from audience_pipeline.ingest.pii.members import is_identifier, words

_ENOUGH_DIGITS = re.compile(r"\d(?:[^\w\n]{0,3}\d){6}")
_LABELS_OF_PHONES = frozenset(
    {"phone", "phones", "telephone", "tel", "mobile", "cell", "cellphone", "fax", "call", "sms"}
)
_NEAR = 30
"""Characters in which a word speaks for what is beside it."""
_LABEL_BEFORE = re.compile(r"\b(?:phone|telephone|tel|mobile|cell|fax|call|sms|text|contact)\b", re.IGNORECASE)
_CARD = re.compile(r"(?<![\w$€£.#-])\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)")
_CARD_GROUPS = frozenset({(4, 4, 4, 4), (4, 6, 5), (4, 4, 4, 1), (4, 4, 4, 4, 3), (4, 6, 4)})
_ISSUERS = re.compile(
    r"4\d{12}(?:\d{3}|\d{6})?|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|62\d{14,17}"
)
_SSN = re.compile(r"(?<![\w$€£.#-])(?!000|666)\d{3}([- .])(?!00)\d{2}\1(?!0000)\d{4}(?![\w-]|\.\d)")
_NINO = re.compile(r"\b(?![DFIQUV]|\w[DFIQUVO]|BG|GB|KN|NK|NT|TN|ZZ)[A-Z]{2} \d{2} ?\d{2} ?\d{2} ?[A-D]\b")
_NATIONAL = re.compile(
    r"\b(?:ssn|social security|itin|tax ?id|tin|sin|nino|national id(?:entity)?|passport)\b"
    r"(?: ?(?:number|no\.?|num|#))?\s?(?:is|:|=|#)?\s?"
    r"((?=[A-Z]*\d{2})[A-Z]{0,2}[ -]?\d(?:[ -]?\d){5,9}[A-D]?)(?![\w-])",
    re.IGNORECASE,
)
_LABELS_OF_NATIONAL = frozenset({"ssn", "itin", "tin", "sin", "nino", "passport"})
_NINE_DIGITS = re.compile(r"\d{3}[- ]?\d{2,3}[- ]?\d{3,4}")


def is_phone(text: str, member: str) -> bool:
    """Return whether ``text`` has a phone number, grouped as its country does; without ``+`` it is read as US.

    Ten bare digits under a member that names a code are one, unless a word such as "call" stands before them.
    """
    if not _ENOUGH_DIGITS.search(text):
        return False
    return any(_counts(text, found, member) for found in _phones(text))


def _phones(text: str) -> Any:  # noqa: ANN401 - the library's iterator
    library = _phonenumbers()
    return library.PhoneNumberMatcher(text, "US", leniency=library.Leniency.STRICT_GROUPING, max_tries=1000)


def _counts(text: str, found: Any, member: str) -> bool:  # noqa: ANN401 - the library's match
    before, after = text[max(0, found.start - _NEAR) : found.start], text[found.end : found.end + _NEAR]
    if re.search(r"[\w$€£#-]$|[\w]-$|\d[.,/]$", before) or re.match(r"[\w%-]|[.,/]\d", after):
        return False
    if not found.raw_string.isdigit() or not is_identifier(member):
        return not re.match(r"\s?(?:impressions|people|households|users|records)\b", after)
    return bool(_LABELS_OF_PHONES & words(member)) or bool(_LABEL_BEFORE.search(before))


@cache
def _phonenumbers() -> Any:  # noqa: ANN401 - a module, which takes a while to import
    import phonenumbers  # noqa: PLC0415

    return phonenumbers


def is_card(text: str, member: str) -> bool:
    """Return whether ``text`` has the number of a card: an issuer's prefix and length, grouped or not, Luhn's sum."""
    del member
    for found in _CARD.finditer(text):
        digits = re.sub(r"\D", "", found[0])
        groups = tuple(len(each) for each in re.split(r"[ -]", found[0]))
        if (len(groups) == 1 or groups in _CARD_GROUPS) and _ISSUERS.fullmatch(digits) and _has_luhn_sum(digits):
            return True
    return False


def _has_luhn_sum(digits: str) -> bool:
    doubled = [sum(divmod(2 * int(each), 10)) for each in digits[-2::-2]]
    return (sum(doubled) + sum(int(each) for each in digits[-1::-2])) % 10 == 0


def is_national_id(text: str, member: str) -> bool:
    """Return whether ``text`` has a US social security number, a British one, or a number that is called one."""
    if _LABELS_OF_NATIONAL & words(member) and _NINE_DIGITS.fullmatch(text):
        return True
    return bool(_SSN.search(text) or _NINO.search(text) or _NATIONAL.search(text))
