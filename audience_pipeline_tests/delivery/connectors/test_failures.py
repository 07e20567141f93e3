"""The four errors of a connector: what each says, and that all of it survives the way between processes."""

import pickle

import pytest

from audience_pipeline.delivery.connectors.failures import (
    AuthenticationError,
    ConnectorError,
    PermanentError,
    RetryableError,
    UnknownOutcomeError,
)

CLASSES = (RetryableError, PermanentError, AuthenticationError, UnknownOutcomeError)


@pytest.mark.parametrize("family", CLASSES)
def test_an_error_survives_the_way_between_processes_with_code_and_evidence(family: type[ConnectorError]) -> None:
    sent = family("facebook account 1", code="gone", found="nothing", evidence={"http_status": 410})
    received = pickle.loads(pickle.dumps(sent))  # noqa: S301 - made two calls earlier
    assert type(received) is family
    assert (vars(received), str(received)) == (vars(sent), str(sent))


def test_the_seconds_to_wait_survive_it_too() -> None:
    sent = RetryableError("facebook", code="rate_limited", found="HTTP 429", retry_after=2.5)
    assert pickle.loads(pickle.dumps(sent)).retry_after == 2.5  # noqa: S301 - made here


def test_only_what_was_surely_not_done_is_worth_an_unchanged_rerun() -> None:
    assert [family for family in CLASSES if family.retryable] == [RetryableError]


def test_each_class_says_what_happens_next() -> None:
    assert str(AuthenticationError("facebook account 1", code="unauthorized", found="HTTP 401")) == (
        "facebook account 1: found HTTP 401, expected credentials that the platform accepts. "
        "Land the platform with other credentials; until then nothing is sent to it."
    )
    assert all(family("facebook", code="x", found="y").remedy for family in CLASSES)
