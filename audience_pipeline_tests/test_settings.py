"""Settings: documented defaults, and wrong values that stop the start with variable, value, choices and remedy."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from audience_pipeline.errors import SettingsError
from audience_pipeline.settings import PREFIX, Settings, load_settings


def setting(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(PREFIX + name, value)


def test_without_variables_every_setting_has_its_documented_default() -> None:
    settings = load_settings()
    assert settings.model_dump() == {
        "backend": "parquet",
        "data_dir": Path("data"),
        "landing_dir": Path("landing"),
        "quarantine_dir": Path("quarantine"),
        "first_month": "2024-01",
        "bigquery_project": None,
        "bigquery_dataset": None,
        "bigquery_location": None,
        "bigquery_api_endpoint": None,
        "bigquery_storage_endpoint": None,
        "bigquery_max_bytes_billed": None,
        "bigquery_timeout_seconds": 600,
        "bigquery_retry_seconds": 60,
        "keyset": Path.home() / ".config/audience_pipeline/keyset.json",
        "keyset_json": None,
        "kms_key_uri": None,
        "kms_endpoint": None,
        "require_approval": True,
        "trust_landed_approval": False,
        "approval_days": 30,
        "min_segment_size": 25,
        "pii_allowed": frozenset(),
        "max_size_change_pct": 50,
        "full_refresh_days": 30,
        "max_attempts": 5,
        "retry_seconds": 30,
        "poll_seconds": 15,
        "hold_seconds": 300,
        "lease_seconds": 600,
        "poll_deadline_hours": 24,
        "platform_timeout_seconds": 30,
        "sandbox_url": None,
        "reference_wait_hours": 24,
        "archive_after_days": 90,
        "reader_grace_minutes": 60,
        "session_seconds": 30,
        "session_memory": "1GiB",
    }


def test_variables_set_settings_and_arguments_win_over_them(monkeypatch: pytest.MonkeyPatch) -> None:
    setting(monkeypatch, DATA_DIR="~/tables", REQUIRE_APPROVAL="false", MAX_ATTEMPTS="7")
    settings = load_settings(max_attempts=9)
    assert settings.data_dir == Path.home() / "tables"
    assert (settings.require_approval, settings.max_attempts) == (False, 9)


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    setting(monkeypatch, DATA_DIR="")
    assert load_settings().data_dir == Path("data")


def test_settings_cannot_be_changed_after_the_start() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().backend = "bigquery"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("BACKEND", "csv", "'parquet' or 'bigquery'"),
        ("FIRST_MONTH", "2024-13", "a month such as '2024-01'"),
        ("FIRST_MONTH", "2024-1", "a month such as '2024-01'"),
        ("REQUIRE_APPROVAL", "maybe", "true or false"),
        ("MAX_ATTEMPTS", "many", "a valid integer"),
        ("LEASE_SECONDS", "0", "greater than or equal to 1"),
        ("SESSION_MEMORY", "lots", "a number and a unit, such as '512MiB' or '1GiB'"),
        ("BIGQUERY_PROJECT", "acme`", "a project's id such as 'acme-data'"),
        ("BIGQUERY_DATASET", "a-b", "letters, digits and underscores"),
        ("BIGQUERY_API_ENDPOINT", "127.0.0.1:9050", "an address such as 'http://127.0.0.1:9050'"),
        ("BIGQUERY_STORAGE_ENDPOINT", "127.0.0.1", "a host and a port such as '127.0.0.1:9060'"),
        (
            "SANDBOX_URL",
            "http://10.0.0.1:9070",
            "an address on this machine such as 'http://127.0.0.1:9070', since credentials go there unencrypted",
        ),
        ("KMS_KEY_URI", "aws-kms://key", "'gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K'"),
    ],
)
def test_a_wrong_value_names_variable_value_and_choices(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    setting(monkeypatch, **{name: value})
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == (
        f"{PREFIX}{name}: found '{value}', expected {expected}. "
        "Correct the value, or unset the variable to use its default."
    )


def test_all_wrong_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    setting(monkeypatch, BACKEND="csv", MAX_ATTEMPTS="0")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.object == f"{PREFIX}BACKEND, {PREFIX}MAX_ATTEMPTS"
    assert caught.value.found == "'csv', '0'"


def test_a_misspelt_variable_is_refused_with_the_one_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    setting(monkeypatch, DATA_DIRECTORY="tables")
    with pytest.raises(SettingsError, match="a variable that no setting reads, expected AUDIENCE_PIPELINE_DATA_DIR"):
        load_settings()


def test_a_variable_like_no_setting_is_refused_with_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    setting(monkeypatch, X="1")
    with pytest.raises(SettingsError, match=r"expected one of those in docs/settings\.md"):
        load_settings()


def test_a_keyset_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    setting(monkeypatch, KEYSET_JSON='{"key": "hush"}')
    settings = load_settings()
    assert "hush" not in repr(settings)
    assert settings.keyset_json is not None
    assert settings.keyset_json.get_secret_value() == '{"key": "hush"}'


def test_a_wrong_keyset_is_refused_without_showing_it() -> None:
    with pytest.raises(SettingsError, match="found a value that is not shown") as caught:
        load_settings(keyset_json=["hush"])
    assert "hush" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_keyset_inside_the_data_directory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    setting(monkeypatch, DATA_DIR="tables", KEYSET="tables/../tables/keys.json")
    with pytest.raises(SettingsError, match="inside the data directory"):
        load_settings()


def test_landing_into_the_tables_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    setting(monkeypatch, LANDING_DIR="data")
    with pytest.raises(SettingsError, match="expected three different directories"):
        load_settings()


@pytest.mark.parametrize("named", [{}, {"BIGQUERY_PROJECT": "p"}])
def test_bigquery_needs_a_project_and_a_dataset(monkeypatch: pytest.MonkeyPatch, named: dict[str, str]) -> None:
    setting(monkeypatch, BACKEND="bigquery", **named)
    missing = "DATASET" if named else "PROJECT"
    with pytest.raises(SettingsError, match=f"{PREFIX}BIGQUERY_{missing}: found nothing"):
        load_settings()


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_a_lease_that_a_call_may_outlast_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIENCE_PIPELINE_LEASE_SECONDS", "89")
    with pytest.raises(SettingsError, match="found 89, expected at least 90, three times AUDIENCE_PIPELINE_PLATFORM"):
        load_settings()
    monkeypatch.setenv("AUDIENCE_PIPELINE_LEASE_SECONDS", "90")
    assert load_settings().lease_seconds == 90
