"""E-mail addresses in text, also URL-encoded or spelled with ``(at)``."""

import re

_WRITTEN = re.compile(r"\s?[\[(]at[\])]\s?", re.IGNORECASE)
_DOTTED = re.compile(r"\s?[\[(]dot[\])]\s?", re.IGNORECASE)
_EMAIL = re.compile(
    r"[\w.!#$%&'*+/=?^`{|}~-]{0,63}[\w!#$%&'*+/=?^`{|}~-]@(?:[^\W_](?:[\w-]{0,62})\.)+(?P<top>[^\W\d_]{2,24}|xn--[\w-]+)(?![\w@])"
)
_FILES = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "css", "js", "mp4"})
"""Ends of names such as ``banner@2x.png``."""


def is_email(text: str, member: str) -> bool:
    """Return whether ``text`` has an address ``local@domain.top``."""
    del member
    if "@" not in text:
        text = _spelled(text)
    if "@" not in text:
        return False
    return any(found["top"].lower() not in _FILES for found in _EMAIL.finditer(text))


def _spelled(text: str) -> str:
    if "%40" in text:
        return text.replace("%40", "@").replace("%2E", ".").replace("%2e", ".")
    if "(" in text or "[" in text:
        return _DOTTED.sub(".", _WRITTEN.sub("@", text))
    return text
