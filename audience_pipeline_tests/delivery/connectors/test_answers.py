"""Classing an HTTP exchange, as all connectors do it."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from audience_pipeline.delivery.connectors.answers import (
    Answer,
    Codes,
    Exchange,
    failure_of,
    read,
    seconds_to_wait,
    unanswered,
)
from audience_pipeline.delivery.connectors.failures import (
    AuthenticationError,
    ConnectorError,
    PermanentError,
    RetryableError,
    UnknownOutcomeError,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
EXCHANGE = Exchange("the_trade_desk account 7", writes=True)


def classed(status: int, body: Any = None, **headers: str) -> ConnectorError | None:  # noqa: ANN401 - any JSON
    return failure_of(Answer(status, json.dumps(body).encode(), **headers), EXCHANGE, now=NOW)


@pytest.mark.parametrize(
    ("status", "body", "family"),
    [
        (200, {"data": 1}, None),
        (202, {"errors": []}, None),
        (200, {"errors": None, "error": None}, None),
        (200, {"errors": [{"message": "no", "extensions": {"code": "POLICY"}}]}, PermanentError),
        (200, {"errors": [{"message": "no", "extensions": {"code": "UNAUTHENTICATED"}}]}, AuthenticationError),
        (200, {"errors": [{"message": "no", "code": "RESOURCE_EXHAUSTED"}]}, RetryableError),
        (200, {"errors": "no"}, PermanentError),
        (200, {"error": {"code": 100, "message": "no"}}, PermanentError),
        (400, {"error": "invalid_grant", "error_description": "expired"}, AuthenticationError),
        (400, {"error": {"status": "DEADLINE_EXCEEDED"}}, RetryableError),
        (400, None, PermanentError),
        (302, None, PermanentError),
        (401, None, AuthenticationError),
        (403, None, AuthenticationError),
        (404, None, PermanentError),
        (408, None, RetryableError),
        (409, None, UnknownOutcomeError),
        (413, None, PermanentError),
        (429, None, RetryableError),
        (500, None, RetryableError),
        (503, "<html>", RetryableError),
        (529, None, RetryableError),
    ],
)
def test_an_answer_is_classed_by_status_and_body(
    status: int,
    body: Any,  # noqa: ANN401 - any JSON
    family: type[ConnectorError] | None,
) -> None:
    assert type(classed(status, body)) is (family or type(None))


def test_a_platforms_own_codes_count_as_well() -> None:
    exchange = Exchange("facebook", codes=Codes(authentication=frozenset({"190"}), retryable=frozenset({"17"})))
    for code, family in ((190, AuthenticationError), (17, RetryableError), (100, PermanentError)):
        answer = Answer(400, json.dumps({"error": {"code": code, "message": "no"}}).encode())
        assert type(failure_of(answer, exchange, now=NOW)) is family


def test_a_failure_says_what_the_platform_said_with_its_request_id() -> None:
    failure = classed(400, {"errors": [{"code": "X", "message": "too\nlong"}]}, request_id="r-1")
    assert failure is not None
    assert failure.found == "HTTP 400, X: too long"
    assert failure.evidence == {
        "http_status": 400,
        "errors": [{"code": "X", "message": "too long"}],
        "request_id": "r-1",
    }


@pytest.mark.parametrize(
    ("sent", "writes", "family", "code"),
    [
        (True, True, UnknownOutcomeError, "no_answer"),
        (True, False, RetryableError, "no_answer"),
        (False, True, RetryableError, "unreachable"),
        (False, False, RetryableError, "unreachable"),
    ],
)
def test_no_answer_is_unknown_only_where_something_may_have_changed(
    *, sent: bool, writes: bool, family: type[ConnectorError], code: str
) -> None:
    failure = unanswered(Exchange("facebook", writes=writes), cause="no answer", sent=sent)
    assert (type(failure), failure.code) == (family, code)


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b'{"account": 7}', b'{"account": "\xff"}', b'{"acc'])
def test_an_answer_that_cannot_be_read_to_a_submission_leaves_its_outcome_unknown(body: bytes) -> None:
    class Shape(msgspec.Struct):
        account: str

    with pytest.raises(UnknownOutcomeError, match="HTTP 200 with a body that cannot be read"):
        read(Answer(200, body), EXCHANGE, Shape, now=NOW)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("30", 30.0),
        ("2.5", 2.5),
        ("-1", None),
        ("soon", None),
        ("999999999", 86_400.0),
        ("Fri, 01 May 2026 12:01:30 GMT", 90.0),
        ("Fri, 01 May 2026 11:00:00 GMT", 0.0),
    ],
)
def test_the_time_to_wait_is_a_number_or_a_date(header: str | None, seconds: float | None) -> None:
    assert seconds_to_wait(header, now=NOW) == seconds
