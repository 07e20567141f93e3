"""What the names of members say: of a person, of a place, of a code.

Belongs here: names. ``first_name``, ``firstName`` and ``First name`` are one: words in lower case.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LISTS = frozenset(
    {
        "members", "people", "persons", "individuals", "users", "customers", "contacts", "subscribers", "patients",
        "visitors", "employees", "profiles", "recipients", "emails", "phones",
    }
)  # fmt: skip
_OWNERS = frozenset(
    {
        "user", "customer", "member", "person", "individual", "contact", "subscriber", "patient", "visitor",
        "household", "device", "cookie", "profile", "employee", "hashed", "loyalty", "crm",
    }
)  # fmt: skip
_PERSONAL = frozenset(
    {
        "first name", "last name", "full name", "given name", "family name", "maiden name", "surname", "date of birth",
        "birth date", "birthdate", "birthday", "dob", "ssn", "passport number", "license plate", "home address",
        "street address", "email address", "phone number",
    }
)  # fmt: skip
_CODES = frozenset(
    {"id", "ids", "code", "codes", "campaign", "segments", "variables", "tags", "key", "sku", "upc", "po"}
)
_TELLING = frozenset(
    {"phone", "mobile", "tel", "telephone", "cell", "fax", "ssn", "itin", "sin", "card", "pan", "passport"}
)
_LATITUDE, _LONGITUDE = frozenset({"lat", "latitude"}), frozenset({"lon", "lng", "long", "longitude"})
_PAIRS = frozenset(
    {"coordinates", "coords", "latlng", "latlon", "lnglat", "lonlat", "geo", "point", "position", "location"}
)
POSITIONS = _LATITUDE | _LONGITUDE | _PAIRS
_PRECISE = 3

SUSPECT_MEMBERS = (
    r"(?i:\"[a-z_ -]*(?:" + "|".join(sorted(_LISTS)) + r")\":[\[{])",
    r"(?i:\"[a-z_ -]*(?:" + "|".join(sorted(_OWNERS)) + r")[_ -]?(?:ids?|names?|keys?|emails?)\":)",
    r"(?i:\"(?:" + "|".join(each.replace(" ", "[_ -]?") for each in sorted(_PERSONAL)) + r")s?\":)",
)


@lru_cache(maxsize=10_000)
def words(name: str) -> frozenset[str]:
    """Return the words of a member's name, in lower case."""
    return frozenset(each.lower() for each in _WORD.findall(name))


def is_identifier(name: str) -> bool:
    """Return whether a member holds a code, whose digits mean nothing to a telephone."""
    return bool(_CODES & words(name))


def is_telling(name: str) -> bool:
    """Return whether a number under this name may be a person's."""
    return bool(_TELLING & words(name))


def names_person(name: str, value: object) -> bool:
    """Return whether a member has one person's name, birth or key; a number or a share of people is an aggregate."""
    if isinstance(value, bool | float) or value in (None, "", [], {}):
        return False
    plain = " ".join(each.lower() for each in _WORD.findall(name))
    if plain in _PERSONAL or plain.removesuffix("s") in _PERSONAL:
        return not isinstance(value, int)
    parts = plain.split(" ")
    return len(parts) > 1 and parts[-1] in {"id", "ids", "name", "names"} and parts[-2] in _OWNERS


def lists_people(name: str, value: object) -> bool:
    """Return whether a list, or an object by key, stands under a name that means people."""
    if isinstance(value, list):
        return bool(value) and bool(_LISTS & words(name)) and any(isinstance(each, str | dict) for each in value)
    if isinstance(value, dict):
        keyed = [each for each in value.values() if isinstance(each, dict)]
        return bool(_LISTS & words(name)) and bool(keyed) and len(keyed) == len(value)
    return False


def has_position(value: Mapping[str, object]) -> bool:
    """Return whether an object has a latitude and a longitude, both precise."""
    found = [(words(name), each) for name, each in value.items()]
    return all(any(names & which and _is_precise(each) for names, each in found) for which in (_LATITUDE, _LONGITUDE))


def is_position(name: str, value: list[object]) -> bool:
    """Return whether a list is one precise position."""
    return len(value) in {2, 3} and bool(_PAIRS & words(name)) and all(_is_precise(each) for each in value[:2])


def _is_precise(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    return len(str(value).partition(".")[2]) >= _PRECISE
