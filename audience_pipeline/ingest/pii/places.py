"""Where somebody is: coordinates finer than a few hundred metres, and street addresses."""

import re

from audience_pipeline.ingest.pii.members import POSITIONS, words

_PRECISE_PLACES = 3
_SURE = r"street|avenue|ave|boulevard|blvd|road|rd|lane|ln"
_NUMBERED = (
    r"st|drive|dr|court|ct|circle|cir|way|place|pl|terrace|ter|parkway|pkwy|highway|hwy|square|sq|trail|trl|loop"
)
_TOWARDS = r"(?:[NSEW]|[NS][EW]|North|South|East|West)\.?"
_APART = r"(?<![\w$.,:/-])"
"""What comes before a house number."""
_NAME = rf"(?:{_TOWARDS} )?(?:(?:[A-Z][a-z'.]+|\d+(?:st|nd|rd|th)) ){{1,3}}"
_SURE_STREET = re.compile(
    rf"{_APART}\d{{1,6}}[A-Za-z]?,? (?:{_TOWARDS} )?(?:(?:[A-Z][\w'.]*|\d+(?:st|nd|rd|th)) ){{1,4}}(?i:{_SURE})\b"
)
_SMALL_STREET = re.compile(
    rf"{_APART}\d{{2,6}} (?:{_TOWARDS.lower()} )?"
    r"(?!to |of |or |and |in |day|month|week|year|percent|min|hour|mile)"
    rf"(?:(?:[a-z][a-z']+|\d+(?:st|nd|rd|th)) ){{1,2}}(?:{_SURE})\b\.?(?=,| (?:apt|suite|unit)|$)"
)
_NUMBERED_STREET = re.compile(
    rf"{_APART}(?!(?:19|20)\d\d )\d{{3,6}}[A-Za-z]? {_NAME}(?:{_NUMBERED})\b(?!\s[a-z])"
    rf"|{_APART}\d{{1,6}} (?={_TOWARDS} ){_NAME}(?:{_NUMBERED})\b"
    rf"|{_APART}\d{{1,6}}[A-Za-z]? {_NAME}(?:{_NUMBERED})\b\.?,? "
    r"(?:#|(?:Apt|Apartment|Suite|Ste|Unit)\b|[A-Z][\w ]{2,30}, [A-Z]{2}\b)",
    re.IGNORECASE,
)
_TITLE = re.compile(r"\d+[A-Za-z]? (?:[A-Z\d#][\w'.,]* ?)+")
_BOX = re.compile(r"\bP\.? ?O\.? ?Box #?\d+", re.IGNORECASE)
_ELSEWHERE = re.compile(
    r"\b[A-ZÄÖÜ]\w*(?:straße|strasse|str\.|gasse|platz|allee) \d{1,4}[a-z]?\b"
    r"|\b\d{1,4}(?: bis| ter)?,? (?:rue|avenue|boulevard|place|quai) (?:de |du |des |d'|la |le )*[A-ZÉ]\w+"
    r"|\b(?:Calle|Avenida|Via|Rua) (?:de |del |la |da )*[A-Z]\w+,? \d{1,4}\b"
)
_PAIR = re.compile(
    r"(?<![\w.])([-+]?\d{1,3}\.\d{3,})°? ?([NS]?)[,;/ ]{1,3}"
    r"(?:l(?:on|ng)[a-z]*[ :=]*)?([-+]?\d{1,3}\.\d{3,})°? ?([EW]?)(?!\w|\.\d)",
    re.IGNORECASE,
)
_SEXAGESIMAL = re.compile(
    r"\d{1,3} ?° ?\d{1,2} ?['\u2032\u2019] ?(?:\d{1,2}(?:\.\d+)? ?(?:[\"\u2033\u201d]|''|\u2032\u2032)? ?)?[NSEW]"
)
_SAYS_PLACE = re.compile(r"\b(?:lat|latitude|lon|lng|longitude|geo|gps|coordinates?|located at)\b", re.IGNORECASE)
_DECIMAL = re.compile(r"[-+]?\d{1,3}\.\d{3,}")
_LEAST_UNCALLED = 10
SUSPECT_PLACES = (
    r"\.\d{3,}[^\w\"]{1,4}(?i:l(?:on|ng)[a-z]*[ :=]*)?[-+]?\d{1,3}\.\d{3}|\.\d{3,}[^\w\"]{0,2}[NSns][,;/ ]",
    r"\d ?°|(?i:\"[a-z_ -]*(?:lat|latitude)\":)",
    r"(?i:\"[a-z_ -]*(?:" + "|".join(sorted(POSITIONS)) + r")\":\[)",
    rf"(?i)\d[A-Za-z]?,? (?:[\w.']+ ){{1,5}}(?:{_SURE}|{_NUMBERED})\b",
    r"(?i:p\.? ?o\.? ?box)|(?i:stra(?:ß|ss)e|str\.|gasse|platz|allee) \d",
    r"\d,? (?:bis |ter )?(?:rue|avenue|boulevard|place|quai) ",
    r"(?:Calle|Avenida|Via|Rua) ",
)


def is_location(text: str, member: str) -> bool:
    """Return whether ``text`` has a latitude and a longitude of three decimals or more, about 100 m.

    A pair that is not called so needs a number of ten or more, since scores and shares come in pairs too.
    """
    if _SEXAGESIMAL.search(text):
        return True
    called = bool(_SAYS_PLACE.search(text) or POSITIONS & words(member))
    if called and {"lat", "latitude", "lon", "lng", "longitude"} & words(member) and _DECIMAL.fullmatch(text):
        return True
    return any(_is_pair(found, called=called) for found in _PAIR.finditer(text))


def _is_pair(found: re.Match[str], *, called: bool) -> bool:
    smaller, larger = sorted((abs(float(found[1])), abs(float(found[3]))))
    fits = smaller <= 90 and larger <= 180  # noqa: PLR2004 - degrees of a globe
    return fits and (called or bool(found[2] or found[4]) or larger >= _LEAST_UNCALLED)


def is_street_address(text: str, member: str) -> bool:
    """Return whether ``text`` has a house number and a street, or a post box."""
    del member
    if _BOX.search(text) or _SURE_STREET.search(text) or _SMALL_STREET.search(text) or _ELSEWHERE.search(text):
        return True
    return any(_TITLE.fullmatch(found[0].rstrip("#,. ") + " ") for found in _NUMBERED_STREET.finditer(text))
