"""What tells one device from all others: addresses, advertising ids, and hashes of anything."""

import base64
import binascii
import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

_OCTETS = re.compile(r"(?<![\w.-])(\d{1,3}(?:\.\d{1,3}){3})(?![\w-]|\.\d)")
_IS_VERSION = re.compile(r"(?:\bv|version|release|build|firmware|driver|section|clause)[\s:.]*$", re.IGNORECASE)
_GROUPS = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{6,39}(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?(?![\w:])")
_SENTENCE_END = re.compile(r"(?<=[^:]):$")
_MAC = re.compile(
    r"(?<![\w:.-])(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}(?![\w:.-]?\w)"
    r"|(?<![\w:.-])(?=[\d-]*[A-Fa-f])(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}(?![\w:.-]?\w)"
    r"|(?<![\w:.-])(?=[\d.]*[A-Fa-f])(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}(?![\w:.-]?\w)"
)
_UUID = re.compile(r"(?<![\w-])(?!0{8}-0{4})[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![\w-])")
_ADVERTISING = re.compile(
    r"(?<![A-Za-z])(?:idf[av]|gaid|aaid|maids?|rida|tifa|afai|lgudid"
    r"|(?:advertising|device|ad)[ _-]?id(?:s|entifiers?)?)"
    r"(?![A-Za-z])",
    re.IGNORECASE,
)
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{64}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{32})(?![0-9A-Za-z])")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_=-])([A-Za-z0-9+/_-]{22,88})(={0,2})(?![A-Za-z0-9+/_=-])")
_DIGEST_BYTES = (16, 20, 32)
_UNPADDED = 43
_NEAR = 30
"""Characters in which a word speaks for what follows it."""


def is_ip_address(text: str, member: str) -> bool:
    """Return whether ``text`` has an address that may be somebody's; version numbers and loopback are not."""
    del member
    four = any(
        _is_somebodys(found[1]) and not _IS_VERSION.search(text[max(0, found.start() - _NEAR) : found.start()])
        for found in _OCTETS.finditer(text)
    )
    return four or any(_is_somebodys(_SENTENCE_END.sub("", found[0])) for found in _GROUPS.finditer(text))


def _is_somebodys(text: str) -> bool:
    try:
        address = IPv6Address(text) if ":" in text else IPv4Address(text)
    except AddressValueError:
        return False
    return not (address.is_loopback or address.is_unspecified) and (":" in text or not text.startswith("0."))


def is_mac_address(text: str, member: str) -> bool:
    """Return whether ``text`` has six bytes in one of the three usual forms."""
    del member
    return bool(_MAC.search(text))


def is_advertising_id(text: str, member: str) -> bool:
    """Return whether ``text`` has a UUID that it, or its member, calls a device's; a UUID alone is a key."""
    return bool(_UUID.search(text)) and bool(_ADVERTISING.search(text) or _ADVERTISING.search(member))


def is_hashed_id(text: str, member: str) -> bool:
    """Return whether ``text`` has a digest of 16, 20 or 32 bytes, in hex or base64, or such a hex text in base64."""
    del member
    if any(not found[0].isdigit() and not found[0].isalpha() for found in _HEX.finditer(text)):
        return True
    return any(_is_digest(found[1], found[2]) for found in _BASE64.finditer(text))


def _is_digest(body: str, padding: str) -> bool:
    if not padding and len(body) != _UNPADDED and (len(body) % 4 or not _is_mixed(body)):
        return False
    standard = body.replace("-", "+").replace("_", "/")
    try:
        decoded = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except binascii.Error:
        return False
    if decoded.isascii() and decoded.decode().isprintable():
        return bool(_HEX.fullmatch(decoded.decode()))
    return len(decoded) in _DIGEST_BYTES and _is_mixed(body)


def _is_mixed(body: str) -> bool:
    """Return whether letters of both cases and digits are all there, as in nearly every digest and in few codes."""
    return any(map(str.isdigit, body)) and any(map(str.isupper, body)) and any(map(str.islower, body))
