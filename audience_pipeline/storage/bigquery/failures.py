"""What a refusal of BigQuery means, in the package's error families.

Belongs here: every error the service, its transport or its credentials can raise, as an object, what was found, what
was expected and a remedy. Does not belong here: retries; what arrives here has been retried already.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from audience_pipeline.errors import (
    ConflictError,
    PipelineError,
    SettingsError,
    StorageError,
    UnavailableError,
)
from audience_pipeline.settings import Settings, variable

_MIGRATE = "Run `audience-pipeline migrate`: it makes what is missing and names what differs."


class _Case(NamedTuple):
    """An answer is of this case if its reason is among ``reasons`` (any, if empty) and ``pattern`` is in its text."""

    reasons: frozenset[str]
    pattern: str
    meaning: Callable[[str, str, Settings], PipelineError]


@contextmanager
def service_errors(object: str, settings: Settings) -> Iterator[None]:
    """Turn whatever Google's libraries raise in the block into an error about ``object`` or what it names itself."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    try:
        yield
    except GoogleAuthError as error:
        raise _credentials(error, settings) from error
    except GoogleAPIError as error:
        raise service_error(error, object, settings) from error
    except (RequestException, ConnectionError) as error:
        raise _unreachable(_said(error), object, settings) from error
    except TimeoutError as error:
        raise _too_slow(text="a job that is still running", object=object, settings=settings) from error


def service_error(error: Exception, object: str, settings: Settings) -> PipelineError:
    """Say what an error of ``google.api_core`` means for ``object``."""
    cause = getattr(error, "cause", None)
    if cause is not None:
        return service_error(cause, object, settings)
    status = getattr(getattr(error, "grpc_status_code", None), "name", "")
    reasons = {str(each.get("reason", "")) for each in _details(error)} or {status}
    text = _said(error)
    for case in _CASES:
        if (not case.reasons or reasons & case.reasons) and re.search(case.pattern, text, re.IGNORECASE):
            return case.meaning(text, object, settings)
    if getattr(error, "code", None) is None:
        return _unreachable(text, object, settings)
    return StorageError(object, found=text, expected="the call to succeed", remedy="Mend the cause and run again.")


def _details(error: Exception) -> list[Mapping[str, Any]]:
    """Return what an answer says of its errors; one of the Storage Read API has nothing but its status."""
    return [each for each in getattr(error, "errors", ()) or () if isinstance(each, Mapping)]


def _said(error: Exception) -> str:
    """Return the service's own sentence, without the address, job and location the library wraps it in."""
    texts = [str(each["message"]) for each in _details(error) if each.get("message")]
    text = texts[0] if texts else str(getattr(error, "message", "") or error)
    return " ".join(text.split()).removesuffix(".") or type(error).__name__


def _unreachable(text: str, object: str, settings: Settings) -> PipelineError:
    endpoint = settings.bigquery_api_endpoint
    return UnavailableError(
        f"BigQuery at {endpoint or 'its own address'}",
        found=f"no answer for {object} ({text})",
        expected=f"one within {settings.bigquery_retry_seconds} seconds",
        remedy=f"Check {variable('bigquery_api_endpoint')}, {variable('bigquery_storage_endpoint')} and that the "
        "emulator runs."
        if endpoint
        else "Check the network and run again.",
    )


def _credentials(error: Exception, settings: Settings) -> PipelineError:
    return SettingsError(
        "credentials for Google Cloud",
        found=_said(error),
        expected=f"ones that reach project '{settings.bigquery_project}'",
        remedy="Set GOOGLE_APPLICATION_CREDENTIALS, or run `gcloud auth application-default login`.",
    )


def _no_project(text: str, _object: str, _settings: Settings) -> PipelineError:
    return SettingsError(
        variable("bigquery_project"),
        found=text,
        expected="a project that exists and has the BigQuery API enabled",
        remedy="Correct the variable, or enable the API in that project.",
    )


def _no_dataset(text: str, _object: str, settings: Settings) -> PipelineError:
    names = ", ".join(variable(name) for name in ("bigquery_dataset", "bigquery_location"))
    return StorageError(
        f"dataset {settings.bigquery_project}.{settings.bigquery_dataset}",
        found=text,
        expected="a dataset at this place",
        remedy=f"Run `audience-pipeline migrate`, which makes it, or correct {names}.",
    )


def _no_table(text: str, object: str, _settings: Settings) -> PipelineError:
    return StorageError(object, found=text, expected="a table or view as declared", remedy=_MIGRATE)


def _denied(text: str, object: str, settings: Settings) -> PipelineError:
    return StorageError(
        object,
        found=text,
        expected="the permissions of the caller's role",
        remedy=f"Grant them in project '{settings.bigquery_project}', as sql/bigquery/grants.sql does for each role, "
        f"or correct {variable('bigquery_project')} if another one is meant.",
    )


def _no_account(text: str, object: str, _settings: Settings) -> PipelineError:
    return StorageError(
        object,
        found=text,
        expected="the service accounts that policies and grants name",
        remedy="Make them as the top of sql/bigquery/grants.sql says, or run `audience-pipeline migrate --no-access`.",
    )


def _over_limit(text: str, object: str, settings: Settings) -> PipelineError:
    return StorageError(
        object,
        found=text,
        expected=f"at most {settings.bigquery_max_bytes_billed} bytes billed",
        remedy=f"Ask for less, or raise {variable('bigquery_max_bytes_billed')}.",
    )


def _too_slow(text: str, object: str, settings: Settings) -> PipelineError:
    return StorageError(
        object,
        found=text,
        expected=f"an end within {settings.bigquery_timeout_seconds} seconds",
        remedy=f"Ask for less, or raise {variable('bigquery_timeout_seconds')}.",
    )


def _quota(text: str, object: str, settings: Settings) -> PipelineError:
    return UnavailableError(
        object,
        found=text,
        expected=f"quota left in project '{settings.bigquery_project}'",
        remedy="Wait until the quota is free again, or have it raised, and run again; nothing is half-applied.",
    )


def _overtaken(text: str, object: str, _settings: Settings) -> PipelineError:
    return ConflictError(object, found=text, expected="no other writer", remedy="Run again.")


def _drifted(text: str, object: str, _settings: Settings) -> PipelineError:
    return StorageError(object, found=text, expected="columns and types as declared", remedy=_MIGRATE)


def _busy(text: str, object: str, _settings: Settings) -> PipelineError:
    return UnavailableError(object, found=text, expected="the service to be up", remedy="Run again in a moment.")


def _case(reasons: str, pattern: str, meaning: Callable[[str, str, Settings], PipelineError]) -> _Case:
    return _Case(frozenset(reasons.split()), pattern, meaning)


_CASES = (
    _case("", r"not found: project|project \S+ has not enabled|has not been used in project", _no_project),
    _case("notFound", r"not found: dataset", _no_dataset),
    _case("notFound", r"not found: (table|routine)", _no_table),
    _case("bytesBilledLimitExceeded", "", _over_limit),
    _case("timeout stopped", "timed out", _too_slow),
    _case("quotaExceeded rateLimitExceeded jobRateLimitExceeded RESOURCE_EXHAUSTED", "", _quota),
    _case("accessDenied billingNotEnabled forbidden PERMISSION_DENIED", "", _denied),
    _case("UNAVAILABLE", "", _unreachable),
    _case("", r"(account|member|grantee|principal)\b.*(does not exist|not found|invalid)", _no_account),
    _case("duplicate", "already exists", _overtaken),
    _case("", r"could not serialize|concurrent update|failed to commit|transaction.*(aborted|conflict)", _overtaken),
    _case("backendError internalError jobBackendError jobInternalError tableUnavailable", "", _busy),
    _case(
        "invalidQuery invalid",
        r"unrecognized name|no such (field|column)|(not present|not found) in|not have a column",
        _drifted,
    ),
    _case("invalidQuery invalid", r"schema|cannot be (inserted|assigned)|wrong column count|has type", _drifted),
)
"""The first that fits is an answer's meaning."""
