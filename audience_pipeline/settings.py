"""All settings, and the only code that reads the environment.

A setting is declared here once, with its default, its limits and what it means; `docs/settings.md` is derived from
that. Everything else is handed a `Settings` and never looks at a variable itself, so that a test or a second store in
one process needs no environment. A wrong value stops the start: a default silently used in the place of a misspelt
variable would send data to the wrong directory.
"""

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from audience_pipeline.errors import SettingsError

PREFIX = "AUDIENCE_PIPELINE_"


def _matching(pattern: str, description: str) -> AfterValidator:
    """Accept only text that matches as a whole; `description` is what the error says was expected."""

    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(description)
        return value

    return AfterValidator(check)


def _listed(value: object) -> object:
    return [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value


def _home(value: Path) -> Path:
    return value.expanduser()


HomePath = Annotated[Path, AfterValidator(_home)]
Month = Annotated[str, _matching(r"(19[7-9]\d|2\d{3})-(0[1-9]|1[0-2])", "a month such as '2024-01'")]
Memory = Annotated[str, _matching(r"[1-9]\d*(\.\d+)? ?([KMGT]i?B)", "a number and a unit, such as '512MiB' or '1GiB'")]
KmsUri = Annotated[
    str,
    _matching(
        r"gcp-kms://projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+",
        "'gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K'",
    ),
]
PersonalKind = Literal[
    "email",
    "phone",
    "payment_card",
    "national_id",
    "ip_address",
    "mac_address",
    "advertising_id",
    "location",
    "street_address",
    "hashed_id",
    "individuals",
]
"""A kind of personal data that audiences may not have."""
PersonalKinds = Annotated[frozenset[PersonalKind], NoDecode, BeforeValidator(_listed)]
Project = Annotated[str, _matching(r"([a-z0-9.-]+:)?[a-z]([a-z0-9-]*[a-z0-9])?", "a project's id such as 'acme-data'")]
Dataset = Annotated[str, _matching(r"[A-Za-z0-9_]{1,1000}", "letters, digits and underscores")]
Url = Annotated[str, _matching(r"https?://[^/\s]+/?", "an address such as 'http://127.0.0.1:9050'")]
LoopbackUrl = Annotated[
    str,
    _matching(
        r"http://(127\.0\.0\.1|localhost|\[::1\]):\d{1,5}/?",
        "an address on this machine such as 'http://127.0.0.1:9070', since credentials go there unencrypted",
    ),
]
LoopbackHostPort = Annotated[
    str,
    _matching(
        r"(127\.0\.0\.1|localhost|\[::1\]):\d{1,5}",
        "a host and a port of this machine such as '127.0.0.1:9080', since keys go there unencrypted",
    ),
]
HostPort = Annotated[str, _matching(r"[^/\s:]+:\d+", "a host and a port such as '127.0.0.1:9060'")]


class Settings(BaseSettings):
    """What the environment, or the caller's arguments, say about this installation.

    Arguments win over variables, and an empty variable counts as not set. Use `load_settings` to read the
    environment: it also refuses variables that nothing reads, and raises `SettingsError`.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    backend: Literal["parquet", "bigquery"] = "parquet"
    """Where the tables are stored."""
    data_dir: HomePath = Path("data")
    """Directory of the Parquet tables, their state and `catalog.duckdb`."""
    landing_dir: HomePath = Path("landing")
    """Directory where senders drop `<table>/*.ndjson` files."""
    quarantine_dir: HomePath = Path("quarantine")
    """Directory that keeps refused records with their reasons."""
    first_month: Month = "2024-01"
    """First month that can hold records; a record created earlier is refused."""

    bigquery_project: Project | None = None
    """Google Cloud project of the dataset; needed when the backend is bigquery."""
    bigquery_dataset: Dataset | None = None
    """Dataset of the tables; needed when the backend is bigquery. The views are in one named like it with `_views`."""
    bigquery_location: str | None = None
    """Location of the dataset; unset means BigQuery's own choice."""
    bigquery_api_endpoint: Url | None = None
    """URL of an emulator, called with anonymous credentials; unset means Google's."""
    bigquery_storage_endpoint: HostPort | None = None
    """`host:port` of the emulator's Storage Read API; unset means that rows of an emulator are read without it."""
    bigquery_max_bytes_billed: int | None = Field(default=None, ge=1)
    """Bytes one query may bill before BigQuery refuses it; unset means no limit."""
    bigquery_timeout_seconds: int = Field(default=600, ge=1)
    """Seconds a job may take before it is given up."""
    bigquery_retry_seconds: int = Field(default=60, ge=1)
    """Seconds a call is tried again for that failed for a reason that passes."""

    keyset: HomePath = Path("~/.config/audience_pipeline/keyset.json")
    """File of the keys that seal credentials (mode 0600, made on first use); never inside `DATA_DIR`."""
    keyset_json: SecretStr | None = None
    """Content of the keyset, which then is used and the file is not; a secret, never printed."""
    kms_key_uri: KmsUri | None = None
    """Key of Google Cloud KMS that wraps the keyset; unset means it is stored unwrapped."""
    kms_endpoint: LoopbackHostPort | None = None
    """`host:port` of a stand-in for that service on this machine, called without credentials; unset means Google's."""

    require_approval: bool = True
    """Whether a distribution is sent only after an approval."""
    trust_landed_approval: bool = False
    """Whether an approval in a landed record counts; otherwise a new distribution is stored as pending."""
    approval_days: int = Field(default=30, ge=1)
    """Days an approval stays valid."""
    min_segment_size: int = Field(default=25, ge=0)
    """Members a segment must have to be stored, if it has any, and to be sent."""
    pii_allowed: PersonalKinds = frozenset()
    """Kinds of personal data that audiences may have all the same, separated by commas: `street_address,hashed_id`."""
    max_size_change_pct: int = Field(default=50, ge=0)
    """Change of a segment's size, in percent, that a refresh under a standing approval may carry."""

    full_refresh_days: int = Field(default=30, ge=1)
    """Days after which an incremental distribution sends all segments once more."""

    max_attempts: int = Field(default=5, ge=1)
    """Attempts to send one distribution before it is failed."""
    retry_seconds: float = Field(default=30, gt=0)
    """Seconds until a second attempt; about twice as long for each one after that, an hour at most."""
    poll_seconds: float = Field(default=15, gt=0)
    """Seconds until a platform is asked about a submission; twice as long each time, half an hour at most."""
    hold_seconds: float = Field(default=300, gt=0)
    """Seconds until who runs unattended examines a held distribution again."""
    lease_seconds: int = Field(default=600, ge=1)
    """Seconds a claimed distribution belongs to its worker, unless renewed."""
    poll_deadline_hours: int = Field(default=24, ge=1)
    """Hours a platform may take to report on a submission."""
    platform_timeout_seconds: int = Field(default=30, ge=1)
    """Seconds a platform may take to answer a call."""
    sandbox_url: LoopbackUrl | None = None
    """Address of a sandbox that stands in for all platforms; unset means only for those of the type sandbox."""

    reference_wait_hours: int = Field(default=24, ge=0)
    """Hours a record that refers to an absent one is tried again after later landings."""
    archive_after_days: int = Field(default=90, ge=1)
    """Days after which a finished distribution moves to the archive."""
    reader_grace_minutes: int = Field(default=60, ge=0)
    """Minutes a file that is no longer current is kept for readers that may still open it."""

    session_seconds: int = Field(default=30, ge=1)
    """Seconds a statement of a tenant session may run."""
    session_memory: Memory = "1GiB"
    """Memory a tenant session may use."""

    @model_validator(mode="after")
    def _keys_and_data_are_apart(self) -> Self:
        if self.keyset.resolve().is_relative_to(self.data_dir.resolve()):
            raise SettingsError(
                variable("keyset"),
                found=f"'{self.keyset}', inside the data directory '{self.data_dir}'",
                expected="a path outside it, so that a copy of the data never carries its keys",
                remedy="Move the keyset, or unset the variable.",
            )
        return self

    @model_validator(mode="after")
    def _directories_differ(self) -> Self:
        directories = {
            "data_dir": self.data_dir,
            "landing_dir": self.landing_dir,
            "quarantine_dir": self.quarantine_dir,
        }
        if len({path.resolve() for path in directories.values()}) < len(directories):
            raise SettingsError(
                ", ".join(variable(field) for field in directories),
                found=", ".join(f"'{path}'" for path in directories.values()),
                expected="three different directories",
                remedy="Give each its own directory.",
            )
        return self

    @model_validator(mode="after")
    def _a_lease_outlasts_calls(self) -> Self:
        least = 3 * self.platform_timeout_seconds
        if self.lease_seconds < least:
            raise SettingsError(
                variable("lease_seconds"),
                found=f"{self.lease_seconds}",
                expected=f"at least {least}, three times {variable('platform_timeout_seconds')}",
                remedy="Raise it, or have platforms answer sooner: what may not end within its lease is not sent.",
            )
        return self

    @model_validator(mode="after")
    def _bigquery_is_named(self) -> Self:
        for name in ("bigquery_project", "bigquery_dataset"):
            if self.backend == "bigquery" and getattr(self, name) is None:
                raise SettingsError(
                    variable(name),
                    found="nothing",
                    expected="a name, since the backend is bigquery",
                    remedy=f"Set the variable, or set {variable('backend')} to parquet.",
                )
        return self


def load_settings(**arguments: Any) -> Settings:  # noqa: ANN401 - each field of Settings has its own type
    """Read the environment, `arguments` (fields of `Settings`) taking precedence.

    Raises:
        SettingsError: a value is wrong, or a variable with the prefix is none of the settings. All wrong values are
            named at once; secret ones are not shown.
    """
    _refuse_unknown_variables()
    try:
        return Settings(**arguments)
    except ValidationError as error:
        # Chained, the original would print its own account of the values.
        raise _settings_error(error) from None


def variable(field: str) -> str:
    """Return the environment variable that sets a field of `Settings`."""
    return PREFIX + field.upper()


def _refuse_unknown_variables() -> None:
    for name in sorted(os.environ):
        field = name.upper().removeprefix(PREFIX).lower()
        if name.upper().startswith(PREFIX) and field not in Settings.model_fields:
            near = difflib.get_close_matches(field, Settings.model_fields, n=1)
            raise SettingsError(
                name,
                found="a variable that no setting reads",
                expected=variable(near[0]) if near else "one of those in docs/settings.md",
                remedy="Correct its name, or unset it.",
            )


def _settings_error(error: ValidationError) -> SettingsError:
    problems = error.errors(include_url=False)
    fields = [str(problem["loc"][0]) for problem in problems]
    return SettingsError(
        ", ".join(variable(field) for field in fields),
        found=", ".join(_shown(field, problem["input"]) for field, problem in zip(fields, problems, strict=True)),
        expected=", and ".join(_expectation(problem["type"], problem["msg"]) for problem in problems),
        remedy="Correct the value, or unset the variable to use its default.",
    )


def _shown(field: str, value: object) -> str:
    """Quote a value, unless its setting is a secret."""
    declared = Settings.model_fields.get(field)
    if declared is not None and SecretStr in get_args(declared.annotation):
        return "a value that is not shown"
    return f"'{value}'"


def _expectation(kind: str, message: str) -> str:
    """Turn pydantic's sentence into the phrase after "expected"."""
    if kind == "bool_parsing":
        return "true or false"
    return message.removeprefix("Value error, ").removeprefix("Input should be ").split(", unable", maxsplit=1)[0]
