"""A hundred thousand damaged, spliced and misplaced sealed texts: one opens, where it was sealed for."""

import string
from collections.abc import Callable
from random import Random

import pytest

from audience_pipeline.security import v1
from audience_pipeline.security.keyset import generate_keyset
from audience_pipeline.security.refusals import Code
from audience_pipeline.security.secret import Secret

CASES = 100_000
OWNERS = [v1.Owner(user, platform) for user in ("ann", "bob", "annb", "") for platform in ("p", "P1", "bp")]
FIELDS = ("api_key", "additional_config")
KEYSETS = [generate_keyset() for _ in range(2)]
ALPHABET = string.ascii_letters + string.digits + "-_.=+/ \n\0\u0130\uff56\u0660"
Place = tuple[int, str, v1.Owner]


def sealed_texts() -> dict[str, tuple[str, Place]]:
    """Return, by sealed text, what it holds and where it opens: under which keyset, field and owner."""
    texts = ("", "k", "key " * 9, '{"a":"\\u00e9"}', "\0\U0001f389")
    return {
        v1.seal(text, field, owner, keyset): (text, (number, field, owner))
        for number, keyset in enumerate(KEYSETS)
        for field in FIELDS
        for owner in OWNERS
        for text in texts
    }


def changed(text: str, other: str, chance: Random) -> str:
    """Return a sealed text changed by hand, by accident, or with parts of another."""
    place, length = chance.randrange(len(text) + 1), chance.randrange(1, 9)
    parts, others = text.split("."), other.split(".")
    swapped = chance.randrange(3)
    return chance.choice(
        (
            text,
            text[:place] + chance.choice(ALPHABET) + text[place + 1 :],
            text[:place] + text[place + length :],
            text[:place] + chance.choice(ALPHABET) * length + text[place:],
            text[:place] + other[place:],
            ".".join(parts[:swapped] + others[swapped : swapped + 1] + parts[swapped + 1 :]),
            text + chance.choice(("=", "\n", " ", ".", "A", "AAAA", "." + parts[2])),
            text.replace("v1.", chance.choice(("v2.", "V1.", "v1..", "v01.", "")), 1),
            text.swapcase(),
            "".join(chance.choices(ALPHABET, k=length * 9)),
        )
    )


def opened(text: object, place: Place) -> str | Code:
    keyset, field, owner = place
    found = v1.open_sealed(text, field, owner, KEYSETS[keyset])
    return found.reveal() if isinstance(found, Secret) else found


def test_of_a_hundred_thousand_sealed_texts_those_open_that_were_sealed_for_the_place(
    record_property: Callable[[str, object], None],
) -> None:
    known = sealed_texts()
    texts, places = list(known), [place for _, place in known.values()]
    counted = 0
    for number in range(CASES):
        chance = Random(f"the sealing format {number}")  # noqa: S311 - for repeatable tests
        original = chance.choice(texts)
        text = changed(original, chance.choice(texts), chance)
        place = known[original][1] if chance.random() < 0.5 else chance.choice(places)
        expected, home = known.get(text, (None, None))
        found = opened(text, place)
        if home is not None and (home[:2], *home[2]) == (place[:2], *place[2]):
            assert found == expected
            counted += 1
        else:
            assert isinstance(found, Code), (number, text, place)
            assert v1.key_of(text) is None or found is not Code.NOT_SEALED_V1
    assert counted > CASES // 50, "few were left whole: the test would not see a format that opens nothing"
    record_property("texts", CASES)
    record_property("opened", counted)


@pytest.mark.parametrize("thing", [None, 1, 1.5, True, b"v1.00000000.", [], {}, object(), ("v1",)])
def test_what_is_no_text_is_no_sealed_text(thing: object) -> None:
    assert opened(thing, (0, "api_key", OWNERS[0])) is Code.NOT_SEALED_V1
