"""A record walked: every text held against the kinds, and what may be kept of the record.

Belongs here: the walk, the reasons, and the record with each personal value replaced by its kind. Does not belong here:
what a kind looks like.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from audience_pipeline.ingest.pii import machines, members, numbers, places, texts
from audience_pipeline.settings import PersonalKind
from audience_pipeline.tables import Problem, Table

Detector = Callable[[str, str], bool]
DETECTORS: Mapping[PersonalKind, Detector] = {
    "email": texts.is_email,
    "phone": numbers.is_phone,
    "payment_card": numbers.is_card,
    "national_id": numbers.is_national_id,
    "ip_address": machines.is_ip_address,
    "mac_address": machines.is_mac_address,
    "advertising_id": machines.is_advertising_id,
    "location": places.is_location,
    "street_address": places.is_street_address,
    "hashed_id": machines.is_hashed_id,
}
"""By kind, in the order reasons name them; ``individuals`` is told by members, not by texts."""
NAMES: Mapping[PersonalKind, str] = {
    "email": "an e-mail address",
    "phone": "a phone number",
    "payment_card": "a payment card's number",
    "national_id": "a national identity number",
    "ip_address": "an IP address",
    "mac_address": "a MAC address",
    "advertising_id": "a device's advertising id",
    "location": "precise coordinates",
    "street_address": "a street address",
    "hashed_id": "a hashed identifier",
    "individuals": "individuals",
}
_WORTH_A_LOOK = re.compile(r"[\d@\uff20%(\[]")
_SHORTEST = 6
"""Characters of ``a@b.co``; each kind but an address needs a digit, and more of them."""
_FREE = "characteristics"
"""The only member in which any member may be."""
_INVISIBLE = dict.fromkeys([0xAD, *range(0x200B, 0x2010), 0x2060, 0xFEFF])


class Judge:
    """Looks for the kinds that are not ``allowed`` in records of one table."""

    def __init__(self, table: Table, allowed: frozenset[PersonalKind]) -> None:
        self._detectors = [(kind, finds) for kind, finds in DETECTORS.items() if kind not in allowed]
        self._individuals = "individuals" not in allowed
        self._location = "location" not in allowed
        self.looks = any(column.impersonal for column in table.columns)

    def record(self, value: object) -> tuple[object, list[Problem]]:
        """Return ``value`` with personal values replaced by their kinds, and a problem for each.

        The tenant's own name is left as it is.
        """
        problems: list[Problem] = []
        if not isinstance(value, dict):
            return self._walk(value, "line", "", problems), problems
        kept = {
            name: each if name == "user_id" else self._member(name, each, "", problems) for name, each in value.items()
        }
        return self._named(kept), problems

    def shown(self, problem: Problem) -> Problem:
        """Return a problem that repeats no personal data, whatever else was wrong with the record."""
        if not any(self.kinds(each) for each in (problem.found, problem.field)):
            return problem
        found = "a value that is not shown" if self.kinds(problem.found) else problem.found
        return Problem(self._key(problem.field), problem.code, found, problem.expected, problem.remedy)

    def kinds(self, text: str, member: str = "") -> list[PersonalKind]:
        """Return the kinds ``text`` has; ``member`` is the name it stands under."""
        if len(text) < _SHORTEST or not _WORTH_A_LOOK.search(text):
            return []
        if not text.isascii():
            text = unicodedata.normalize("NFKC", text).translate(_INVISIBLE)
        return [kind for kind, finds in self._detectors if finds(text, member)]

    def _walk(self, value: object, field: str, member: str, problems: list[Problem]) -> object:
        if isinstance(value, list | dict):
            if kinds := self._kinds_of_whole(value, field, member):
                return self._replaced(value, kinds, field, problems)
            if isinstance(value, list):
                return [self._walk(each, f"{field}[{at}]", member, problems) for at, each in enumerate(value)]
            return self._named({name: self._member(name, each, field, problems) for name, each in value.items()})
        if isinstance(value, str) or (isinstance(value, int) and members.is_telling(member)):
            return self._replaced(value, self.kinds(str(value), member), field, problems)
        return value

    def _kinds_of_whole(self, value: list[Any] | dict[str, Any], field: str, member: str) -> list[PersonalKind]:
        """Return the kinds that a list or an object has as a whole, its parts aside."""
        located = members.is_position(member, value) if isinstance(value, list) else members.has_position(value)
        if located and self._location:
            return ["location"]
        listed = self._individuals and _FREE in field and members.lists_people(member, value)
        return ["individuals"] if listed else []

    def _member(self, name: str, value: object, inside: str, problems: list[Problem]) -> object:
        field = f"{inside}.{self._key(name)}" if inside else self._key(name)
        if self._key(name) != name:
            problems += _problems(field, self.kinds(name))
        if self._individuals and _FREE in inside and members.names_person(name, value):
            return self._replaced(value, ["individuals"], field, problems)
        return self._walk(value, field, name, problems)

    def _replaced(self, value: object, kinds: list[PersonalKind], field: str, problems: list[Problem]) -> object:
        problems += _problems(field, kinds)
        return f"[{', '.join(kinds)}]" if kinds else value

    def _named(self, value: dict[str, Any]) -> dict[str, Any]:
        return {self._key(name): each for name, each in value.items()}

    def _key(self, name: str) -> str:
        kinds = self.kinds(name)
        return f"[{', '.join(kinds)}]" if kinds else name


def _problems(field: str, kinds: Iterable[PersonalKind]) -> Iterator[Problem]:
    for kind in kinds:
        remedy = (
            f"Send the record again without it. If it is nobody's, AUDIENCE_PIPELINE_PII_ALLOWED={kind} lets it pass."
        )
        yield Problem(
            field, f"personal_{kind}", f"{NAMES[kind]} (not shown)", "aggregates, without a person's data", remedy
        )
