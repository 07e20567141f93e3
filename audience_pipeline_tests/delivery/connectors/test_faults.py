"""Every fault of the sandbox, as the connector tells of it, and what is in effect there afterwards."""

from typing import Any

import pytest

from audience_pipeline.delivery.connectors.contract import Absent, Found, Submission
from audience_pipeline.delivery.connectors.failures import (
    AuthenticationError,
    ConnectorError,
    PermanentError,
    RetryableError,
    UnknownOutcomeError,
)
from audience_pipeline.delivery.connectors.sandbox import SandboxConnector
from audience_pipeline.delivery.connectors.transport import Transport
from audience_pipeline_tests.delivery.connectors.builders import SIZES, content
from audience_pipeline_tests.delivery.connectors.conftest import CREDENTIALS, new_key
from audience_pipeline_tests.sandbox_process import Sandbox

PAYLOAD = SandboxConnector("facebook", "", Transport(1)).prepare(content(), sizes=SIZES, match_rate=0.5).payload


def submit(connector: SandboxConnector, key: str) -> Submission:
    return connector.submit(CREDENTIALS, PAYLOAD, key)


@pytest.mark.parametrize(
    ("fault", "family", "code"),
    [
        ({"kind": "rate_limited", "retry_after": 2.5}, RetryableError, "rate_limited"),
        ({"kind": "server_error"}, RetryableError, "unavailable"),
        ({"kind": "unauthorized"}, AuthenticationError, "unauthorized"),
        ({"kind": "errors_in_success"}, PermanentError, "refused"),
        ({"kind": "reset_before_accepting"}, UnknownOutcomeError, "no_answer"),
    ],
)
def test_a_fault_before_accepting_leaves_nothing_and_the_same_key_works_afterwards(
    sandbox: Sandbox, connector: SandboxConnector, fault: dict[str, Any], family: type[ConnectorError], code: str
) -> None:
    key = new_key()
    sandbox.faults(fault | {"next": 1, "on": ["submit"]})
    with pytest.raises(ConnectorError) as caught:
        submit(connector, key)
    assert (type(caught.value), caught.value.code) == (family, code)
    assert sandbox.audience(key) is None
    assert connector.find(CREDENTIALS, key) == Absent()
    assert connector.find(CREDENTIALS, key) == Absent()
    assert connector.find(CREDENTIALS, key) != Found(submit(connector, key))


def test_the_seconds_a_platform_asks_for_are_told(sandbox: Sandbox, connector: SandboxConnector) -> None:
    sandbox.faults({"kind": "rate_limited", "retry_after": 2.5})
    with pytest.raises(RetryableError) as caught:
        connector.validate(CREDENTIALS)
    assert caught.value.retry_after == 2.5
    assert caught.value.evidence["http_status"] == 429


@pytest.mark.parametrize("seconds", [0, 3600])
def test_an_answer_lost_after_accepting_is_unknown_and_then_found(sandbox: Sandbox, seconds: int) -> None:
    key = new_key()
    sandbox.faults({"kind": "timeout_after_accepting", "next": 1, "seconds": seconds})
    with Transport(timeout=0.3) as transport:
        connector = SandboxConnector("facebook", sandbox.url, transport)
        with pytest.raises(UnknownOutcomeError) as caught:
            submit(connector, key)
        assert caught.value.code == "no_answer"
        found = connector.find(CREDENTIALS, key)
        assert isinstance(found, Found)
        assert submit(connector, key) == found.submission
    assert (sandbox.audience(key) or {})["requests"] == 2


def test_a_slow_answer_is_waited_for_within_the_time_allowed(sandbox: Sandbox, connector: SandboxConnector) -> None:
    sandbox.faults({"kind": "slow", "next": 1, "seconds": 0.2})
    assert submit(connector, new_key()).accepted == ("s1", "s2")


def test_a_slow_answer_to_a_question_may_be_asked_for_again(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "slow", "next": 1, "seconds": 3600})
    with Transport(timeout=0.3) as transport:
        connector = SandboxConnector("facebook", sandbox.url, transport)
        with pytest.raises(RetryableError, match=r"no answer within 0\.3 s"):
            connector.find(CREDENTIALS, new_key())


def test_partial_success_says_what_was_refused_and_keeps_to_it(sandbox: Sandbox, connector: SandboxConnector) -> None:
    key = new_key()
    sandbox.faults({"kind": "partial_success", "next": 1})
    taken = submit(connector, key)
    assert taken.accepted == ("s1",)
    assert [(issue.segment_id, issue.code) for issue in taken.refused] == [("s2", "policy_violation")]
    assert submit(connector, key) == taken
    assert connector.poll(CREDENTIALS, taken.reference).uploaded_count == SIZES["s1"]


def test_a_denied_submission_fails_with_the_platforms_decision(sandbox: Sandbox, connector: SandboxConnector) -> None:
    sandbox.faults({"kind": "denied", "next": 1})
    report = connector.poll(CREDENTIALS, submit(connector, new_key()).reference)
    assert (report.status, report.approval, report.issues[0].code) == ("failed", "denied", "approval_denied")


def test_a_size_of_minus_one_is_unknown_and_no_number(sandbox: Sandbox, connector: SandboxConnector) -> None:
    taken = submit(connector, new_key())
    sandbox.faults({"kind": "unknown_size", "next": 1})
    report = connector.poll(CREDENTIALS, taken.reference)
    assert (report.status, report.uploaded_count, report.matched_count, report.match) == ("completed", None, None, None)
    assert connector.poll(CREDENTIALS, taken.reference).uploaded_count == 5_000


def test_too_few_matched_is_a_failure(connector: SandboxConnector) -> None:
    few = connector.prepare(content(), sizes={"s1": 30, "s2": 30}, match_rate=0.1)
    report = connector.poll(CREDENTIALS, connector.submit(CREDENTIALS, few.payload, new_key()).reference)
    assert (report.status, report.issues[0].code) == ("failed", "too_small")


def test_nobody_listening_is_retryable_even_for_a_submission() -> None:
    with Transport(timeout=1) as transport:
        connector = SandboxConnector("facebook", "http://127.0.0.1:1", transport)
        with pytest.raises(RetryableError) as caught:
            submit(connector, new_key())
    assert caught.value.code == "unreachable"


def test_a_path_that_is_not_there_does_not_count_as_absent(sandbox: Sandbox, transport: Transport) -> None:
    elsewhere = SandboxConnector("facebook", f"{sandbox.url}/other", transport)
    with pytest.raises(PermanentError, match="NO_SUCH_PATH"):
        elsewhere.find(CREDENTIALS, new_key())
