"""The proof that landed credentials are sealed: each way to pretend has its own refusal."""

from collections.abc import Callable
from typing import Any

import pytest

from audience_pipeline.security import check_sealed, is_plaintext, seal_platform
from audience_pipeline.security.keyset import Keyset, generate_keyset
from audience_pipeline_tests.security.conftest import API_KEY

Credentials = dict[str, Any]


@pytest.fixture
def check(platform: dict[str, Any], keyset: Keyset) -> Callable[..., dict[str, str]]:
    """Check credentials as those of the platform; returns code by field."""

    def codes(credentials: Credentials, keys: Keyset = keyset, **place: str) -> dict[str, str]:
        owner = {"user_id": platform["user_id"], "platform_id": platform["platform_id"], **place}
        problems = check_sealed(credentials, **owner, keyset=keys)
        assert all(API_KEY not in repr(problem) for problem in problems)
        return {problem.field.removeprefix("credentials."): problem.code for problem in problems}

    return codes


@pytest.fixture
def sealed(platform: dict[str, Any], keyset: Keyset) -> Credentials:
    credentials: Credentials = seal_platform(platform, keyset)["credentials"]
    return credentials


Check = Callable[..., dict[str, str]]


def test_sealed_credentials_pass(check: Check, sealed: Credentials) -> None:
    assert check(sealed) == {}
    assert not is_plaintext(sealed)


@pytest.mark.parametrize("flag", [{}, {"encrypted": False}, {"encrypted": None}])
def test_plaintext_is_refused_in_each_field(check: Check, platform: dict[str, Any], flag: Credentials) -> None:
    assert check(platform["credentials"] | flag) == {"api_key": "plaintext", "additional_config": "plaintext"}
    assert is_plaintext(platform["credentials"] | flag)


@pytest.mark.parametrize("text", [API_KEY, "v2.00000000." + "A" * 40, "v1.00000000.AAAA", "", "Z0FBQUFBQm0="])
def test_text_that_only_claims_to_be_encrypted_is_refused(check: Check, sealed: Credentials, text: str) -> None:
    assert check(sealed | {"api_key": text}) == {"api_key": "not_sealed_v1"}
    assert is_plaintext(sealed | {"api_key": text})


def test_sealed_text_without_the_flag_is_refused(check: Check, sealed: Credentials) -> None:
    assert check(sealed | {"encrypted": False}) == {"encrypted": "not_sealed_v1"}


def test_text_under_a_key_of_another_keyset_is_refused(check: Check, sealed: Credentials) -> None:
    assert check(sealed, generate_keyset()) == {"api_key": "unknown_key", "additional_config": "unknown_key"}


def test_text_under_a_retired_key_is_refused(check: Check, sealed: Credentials, rotated: Keyset) -> None:
    assert check(sealed, rotated) == {"api_key": "retired_key", "additional_config": "retired_key"}


@pytest.mark.parametrize("place", [{"user_id": "other"}, {"platform_id": "00000000-0000-4000-8000-000000000000"}])
def test_text_of_another_platform_is_refused(check: Check, sealed: Credentials, place: dict[str, str]) -> None:
    assert check(sealed, **place) == {"api_key": "does_not_open", "additional_config": "does_not_open"}


def test_text_of_the_other_field_is_refused(check: Check, sealed: Credentials) -> None:
    assert check(sealed | {"api_key": sealed["additional_config"]}) == {"api_key": "does_not_open"}


def test_secrets_that_do_not_match_their_fingerprint_are_refused(
    check: Check, sealed: Credentials, platform: dict[str, Any], keyset: Keyset
) -> None:
    platform["credentials"]["api_key"] = "another key"
    other = seal_platform(platform, keyset)["credentials"]["api_key"]
    assert check(sealed | {"api_key": other}) == {"fingerprint": "fingerprint_mismatch"}


@pytest.mark.parametrize("fingerprint", [None, "", "v1." + "A" * 43, "é", 7])
def test_another_fingerprint_or_none_is_refused(check: Check, sealed: Credentials, fingerprint: object) -> None:
    assert check(sealed | {"fingerprint": fingerprint}) == {"fingerprint": "fingerprint_mismatch"}


def test_a_dropped_secret_shows_in_the_fingerprint(check: Check, sealed: Credentials) -> None:
    assert check(sealed | {"additional_config": None}) == {"fingerprint": "fingerprint_mismatch"}


def test_absent_secrets_need_no_fingerprint(check: Check) -> None:
    assert check({"encrypted": True, "account_id": "a", "api_key": None}) == {}


def test_every_reason_is_given_at_once(check: Check, sealed: Credentials, rotated: Keyset) -> None:
    broken = sealed | {"encrypted": False, "api_key": API_KEY, "password": "x"}
    expected = {"password": "unknown_field", "api_key": "plaintext", "additional_config": "retired_key"}
    assert check(broken, rotated) == expected


@pytest.mark.parametrize(
    "credentials",
    [
        API_KEY,
        [API_KEY],
        {"api_key": 7},
        {"password": API_KEY},
        {"account_id": {"key": API_KEY}},
        {"encrypted": API_KEY},
        {"fingerprint": API_KEY},
    ],
)
def test_a_secret_in_any_odd_place_counts_as_plaintext(credentials: object) -> None:
    assert is_plaintext(credentials)


@pytest.mark.parametrize("credentials", [None, {}, {"encrypted": False, "account_id": "a", "api_key": None}])
def test_credentials_without_secrets_are_not_plaintext(credentials: object) -> None:
    assert not is_plaintext(credentials)


def test_a_refusal_names_the_key_and_the_next_action(sealed: Credentials, keyset: Keyset) -> None:
    problem, _ = check_sealed(sealed, user_id="u", platform_id="p", keyset=generate_keyset())
    assert problem.field == "credentials.api_key"
    assert problem.found == f"text sealed under key {keyset.primary}, which this keyset does not have"
    assert problem.remedy == "Use the keyset it was sealed with, or seal the plaintext again with this one."
