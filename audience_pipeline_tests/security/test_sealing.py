"""Sealing: what goes in comes out, only where it was sealed for, and nothing of it shows."""

import json
import string
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audience_pipeline.errors import RefusedError
from audience_pipeline.security import open_credentials, open_field, seal_platform, v1
from audience_pipeline.security.keyset import Keyset, generate_keyset
from audience_pipeline_tests.security.conftest import API_KEY, CONFIG_SECRET

KEYSET = generate_keyset()
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def opened(record: dict[str, Any], keyset: Keyset) -> dict[str, str]:
    secrets = open_credentials(
        record["credentials"], user_id=record["user_id"], platform_id=record["platform_id"], keyset=keyset
    )
    return {field: secret.reveal() for field, secret in secrets.items()}


@given(
    user_id=NAMES,
    platform_id=NAMES,
    api_key=TEXT,
    config=TEXT | st.dictionaries(TEXT, TEXT | st.integers(-(2**63), 2**63 - 1)),
)
def test_what_is_sealed_opens_to_the_same(user_id: str, platform_id: str, api_key: str, config: object) -> None:
    credentials = {"api_key": api_key, "account_id": "a", "additional_config": config}
    record = {"user_id": user_id, "platform_id": platform_id, "credentials": credentials}
    result = opened(seal_platform(record, KEYSET), KEYSET)
    assert result["api_key"] == api_key
    assert (
        result["additional_config"] if isinstance(config, str) else json.loads(result["additional_config"])
    ) == config


def test_a_sealed_record_holds_no_secret_and_keeps_the_rest(platform: dict[str, Any], keyset: Keyset) -> None:
    sealed = seal_platform(platform, keyset)
    assert API_KEY not in json.dumps(sealed)
    assert CONFIG_SECRET not in json.dumps(sealed)
    assert sealed["credentials"]["encrypted"] is True
    assert sealed["credentials"]["account_id"] == "seat-1"
    assert {**sealed, "credentials": None} == {**platform, "credentials": None}


def test_the_record_given_is_not_changed(platform: dict[str, Any], keyset: Keyset) -> None:
    platform["credentials"]["additional_config"]["limits"] = [1.0]
    before = json.dumps(platform)
    seal_platform(platform, keyset)
    assert json.dumps(platform) == before


@given(data=st.data())
def test_a_change_of_any_character_is_refused(data: st.DataObject) -> None:
    record = {"user_id": "u", "platform_id": "p", "credentials": {"api_key": "some key"}}
    sealed = seal_platform(record, KEYSET)["credentials"]["api_key"]
    place = data.draw(st.integers(0, len(sealed) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda c: c != sealed[place]) | st.just(""))
    changed = sealed[:place] + other + sealed[place + 1 :]
    with pytest.raises(RefusedError):
        open_field(changed, field="api_key", user_id="u", platform_id="p", keyset=KEYSET)


def test_another_spelling_of_the_same_bytes_is_refused() -> None:
    record = {"user_id": "u", "platform_id": "p", "credentials": {"api_key": "nine char"}}
    sealed = seal_platform(record, KEYSET)["credentials"]["api_key"]
    spellings = [sealed[:-1] + last for last in string.ascii_letters + string.digits + "-_" if last != sealed[-1]]
    for spelling in spellings:
        with pytest.raises(RefusedError, match="does not open here"):
            open_field(spelling, field="api_key", user_id="u", platform_id="p", keyset=KEYSET)


def test_sealed_bytes_that_are_no_text_are_refused() -> None:
    class Bytes(str):
        __slots__ = ()

        def encode(self, *_: str) -> bytes:
            return b"\xff"

    sealed = v1.seal(Bytes(), "api_key", v1.Owner("u", "p"), KEYSET)
    with pytest.raises(RefusedError, match="does not open here"):
        open_field(sealed, field="api_key", user_id="u", platform_id="p", keyset=KEYSET)


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"user_id": "user124"},
        {"platform_id": "5b0c1b1e-3b1f-4b58-9c53-0b9d1e6b6a11"},
        {"field": "additional_config"},
        {"user_id": "user1235", "platform_id": "b0c1b1e-3b1f-4b58-9c53-0b9d1e6b6a10"},
    ],
)
def test_sealed_text_opens_nowhere_else(platform: dict[str, Any], keyset: Keyset, elsewhere: dict[str, str]) -> None:
    sealed = seal_platform(platform, keyset)["credentials"]["api_key"]
    here = {"field": "api_key", "user_id": platform["user_id"], "platform_id": platform["platform_id"]}
    assert open_field(sealed, **here, keyset=keyset).reveal() == API_KEY
    with pytest.raises(RefusedError, match="does not open here"):
        open_field(sealed, **{**here, **elsewhere}, keyset=keyset)


def test_the_case_of_a_platform_id_does_not_matter(platform: dict[str, Any], keyset: Keyset) -> None:
    sealed = seal_platform(platform, keyset)
    lowered = {**sealed, "platform_id": sealed["platform_id"].lower()}
    assert opened(lowered, keyset) == opened(sealed, keyset)
    again = seal_platform({**platform, "platform_id": platform["platform_id"].lower()}, keyset)
    assert again["credentials"]["fingerprint"] == sealed["credentials"]["fingerprint"]


def test_sealing_again_gives_other_text_and_the_same_fingerprint(platform: dict[str, Any], keyset: Keyset) -> None:
    first, second = (seal_platform(platform, keyset)["credentials"] for _ in range(2))
    assert first["api_key"] != second["api_key"]
    assert first["additional_config"] != second["additional_config"]
    assert first["fingerprint"] == second["fingerprint"]


def test_the_fingerprint_survives_a_rotation(platform: dict[str, Any], keyset: Keyset, rotated: Keyset) -> None:
    before, after = (seal_platform(platform, keys)["credentials"] for keys in (keyset, rotated))
    assert before["fingerprint"] == after["fingerprint"]


def test_the_fingerprint_ignores_how_an_object_is_written(platform: dict[str, Any], keyset: Keyset) -> None:
    prints = set()
    for config in ({"zone": "eu", "limit": 5}, {"limit": 5.0, "zone": "eu"}, '{"limit":5,"zone":"eu"}'):
        platform["credentials"]["additional_config"] = config
        prints.add(seal_platform(platform, keyset)["credentials"]["fingerprint"])
    assert len(prints) == 1


@pytest.mark.parametrize(
    "change",
    [{"user_id": "other"}, {"platform_id": "other"}, {"credentials": {"api_key": API_KEY}}],
    ids=["user", "platform", "secrets"],
)
def test_the_fingerprint_differs_for_anything_else(
    platform: dict[str, Any], keyset: Keyset, change: dict[str, Any]
) -> None:
    before, after = (seal_platform(record, keyset) for record in (platform, {**platform, **change}))
    assert before["credentials"]["fingerprint"] != after["credentials"]["fingerprint"]


def test_a_secret_moved_to_the_other_field_has_another_fingerprint(keyset: Keyset) -> None:
    fields = [{"api_key": "x"}, {"additional_config": "x"}]
    records = [{"user_id": "u", "platform_id": "p", "credentials": credentials} for credentials in fields]
    first, second = (seal_platform(record, keyset)["credentials"]["fingerprint"] for record in records)
    assert first != second


@pytest.mark.parametrize("credentials", [None, {"encrypted": True, "account_id": "a"}])
def test_a_record_without_secrets_stays_as_it_is(keyset: Keyset, credentials: object) -> None:
    record = {"user_id": "u", "platform_id": "p", "credentials": credentials}
    assert seal_platform(record, keyset) == record


def test_null_secrets_are_absent_from_the_sealed_record(keyset: Keyset) -> None:
    credentials = {"encrypted": False, "api_key": None, "account_id": "a", "additional_config": None}
    sealed = seal_platform({"user_id": "u", "platform_id": "p", "credentials": credentials}, keyset)
    assert sealed["credentials"] == {"encrypted": True, "account_id": "a"}


def test_a_sealed_record_passes_through(platform: dict[str, Any], keyset: Keyset) -> None:
    sealed = seal_platform(platform, keyset)
    assert seal_platform(sealed, keyset) == sealed


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"encrypted": True}, "a claim to be encrypted that does not hold"),
        ({"api_key": 7}, "a value of type int that cannot be sealed"),
        ({"api_key": {"key": "value"}}, "a value of type dict that cannot be sealed"),
        ({"api_key": "\ud800"}, "a value of type str that cannot be sealed"),
        ({"additional_config": {"token": "\ud800"}}, "a value of type dict that cannot be sealed"),
        ({"additional_config": {"limit": 2**63}}, "a value of type dict that cannot be sealed"),
        ({"additional_config": ["token"]}, "a value of type list that cannot be sealed"),
        ({"password": "x"}, "a field that credentials do not have"),
    ],
)
def test_credentials_that_cannot_be_sealed_are_refused(
    platform: dict[str, Any], keyset: Keyset, change: dict[str, Any], found: str
) -> None:
    platform["credentials"] |= change
    with pytest.raises(RefusedError) as refusal:
        seal_platform(platform, keyset)
    assert refusal.value.found == found


def test_plaintext_beside_sealed_text_is_refused(platform: dict[str, Any], keyset: Keyset) -> None:
    sealed = seal_platform(platform, keyset)["credentials"]["api_key"]
    platform["credentials"]["api_key"] = sealed
    with pytest.raises(RefusedError, match="additional_config"):
        seal_platform(platform, keyset)


@pytest.mark.parametrize("missing", ["user_id", "platform_id"])
def test_a_record_of_nobody_is_refused(platform: dict[str, Any], keyset: Keyset, missing: str) -> None:
    del platform[missing]
    with pytest.raises(RefusedError, match="platform record: found no user_id or no platform_id"):
        seal_platform(platform, keyset)


def test_credentials_that_are_no_object_are_refused_unseen(platform: dict[str, Any], keyset: Keyset) -> None:
    platform["credentials"] = API_KEY
    with pytest.raises(RefusedError) as refusal:
        seal_platform(platform, keyset)
    assert API_KEY not in str(refusal.value)


def test_sealing_keeps_up_with_landing(keyset: Keyset) -> None:
    credentials = {"api_key": "k" * 40, "additional_config": "c" * 200}
    records = [{"user_id": "u", "platform_id": str(n), "credentials": credentials} for n in range(10_000)]
    started = time.process_time()
    for record in records:
        seal_platform(record, keyset)
    assert 2 * len(records) / (time.process_time() - started) > 50_000
