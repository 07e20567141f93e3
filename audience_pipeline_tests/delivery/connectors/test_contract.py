"""The contract suite: what holds for every connector, against its platform on a real socket."""

import pytest

from audience_pipeline.delivery.connectors.contract import Absent, Found, Prepared, Submission
from audience_pipeline.delivery.connectors.failures import AuthenticationError, PermanentError, UnknownOutcomeError
from audience_pipeline_tests.delivery.connectors.builders import SIZES, content, segment
from audience_pipeline_tests.delivery.connectors.conftest import Subject, new_key


def prepare(subject: Subject, **arguments: float) -> Prepared:
    return subject.connector.prepare(content(), sizes=SIZES, match_rate=0.5, **arguments)  # type: ignore[arg-type]


def submit(subject: Subject, key: str, prepared: Prepared | None = None) -> Submission:
    payload = (prepared or prepare(subject)).payload
    return subject.connector.submit(subject.credentials, payload, key)


def test_valid_credentials_name_their_account(subject: Subject) -> None:
    assert subject.connector.validate(subject.credentials).account_id == subject.credentials.account_id


def test_what_is_submitted_is_accepted_found_and_reported_in_our_words(subject: Subject) -> None:
    key = new_key()
    taken = submit(subject, key)
    assert (taken.accepted, taken.refused) == (("s1", "s2"), ())
    assert subject.connector.find(subject.credentials, key) == Found(taken)
    report = subject.connector.poll(subject.credentials, taken.reference)
    assert (report.status, report.approval, report.issues) == ("completed", "approved", ())
    assert (report.uploaded_count, report.matched_count) == (5_000, 2_500)
    assert report.match is not None
    assert (report.match.effective_match_rate, report.match.as_of.tzinfo is not None) == (0.5, True)
    assert report.activation_key


def test_the_platform_holds_the_payload_that_was_prepared(subject: Subject) -> None:
    prepared = prepare(subject)
    assert submit(subject, new_key(), prepared).digest == prepared.digest


def test_the_same_key_again_gives_the_same_submission(subject: Subject) -> None:
    key = new_key()
    assert submit(subject, key) == submit(subject, key)


def test_the_same_key_with_another_payload_is_not_taken_and_the_first_stays(subject: Subject) -> None:
    key = new_key()
    first = submit(subject, key)
    other = subject.connector.prepare(content(segment("s1")), sizes=SIZES)
    with pytest.raises(UnknownOutcomeError) as caught:
        submit(subject, key, other)
    assert caught.value.code == "conflict"
    assert subject.connector.find(subject.credentials, key) == Found(first)


def test_a_key_that_was_never_used_is_absent(subject: Subject) -> None:
    assert subject.connector.find(subject.credentials, new_key()) == Absent()


def test_a_withdrawn_submission_is_out_of_use_and_withdrawing_again_changes_nothing(subject: Subject) -> None:
    taken = submit(subject, new_key())
    for _ in range(2):
        subject.connector.withdraw(subject.credentials, taken.reference)
    report = subject.connector.poll(subject.credentials, taken.reference)
    assert (report.status, [issue.code for issue in report.issues]) == ("failed", ["suspended"])


@pytest.mark.parametrize("call", ["poll", "withdraw"])
def test_an_unknown_reference_is_a_permanent_failure(subject: Subject, call: str) -> None:
    with pytest.raises(PermanentError) as caught:
        getattr(subject.connector, call)(subject.credentials, "no/such reference")
    assert caught.value.code == "unknown_reference"


def test_an_unknown_match_rate_is_no_number(subject: Subject) -> None:
    taken = submit(subject, new_key(), subject.connector.prepare(content(), sizes=SIZES))
    report = subject.connector.poll(subject.credentials, taken.reference)
    assert (report.uploaded_count, report.matched_count, report.match) == (5_000, None, None)


def test_a_segment_under_the_floor_is_refused_and_the_others_are_taken(subject: Subject) -> None:
    small = {**SIZES, "s2": subject.connector.limits.segment_floor - 1}
    taken = submit(subject, new_key(), subject.connector.prepare(content(), sizes=small))
    assert taken.accepted == ("s1",)
    assert [(issue.segment_id, bool(issue.message)) for issue in taken.refused] == [("s2", True)]


def test_nothing_accepted_is_a_permanent_failure_and_leaves_nothing_behind(subject: Subject) -> None:
    key, none = new_key(), subject.connector.prepare(content(), sizes={"s1": 0, "s2": 0})
    with pytest.raises(PermanentError) as caught:
        submit(subject, key, none)
    assert caught.value.code == "nothing_accepted"
    assert [refused["segment_id"] for refused in caught.value.evidence["refused"]] == ["s1", "s2"]
    assert subject.connector.find(subject.credentials, key) == Absent()


def test_an_incremental_leaves_on_the_platform_what_did_not_change(subject: Subject) -> None:
    before = prepare(subject)
    submit(subject, new_key(), before)
    since = {each.segment_id: each.digest for each in before.segments}
    grown = subject.connector.prepare(content(), sizes={**SIZES, "s2": 2_000}, since=since)
    assert grown.included == ("s2",)
    report = subject.connector.poll(subject.credentials, submit(subject, new_key(), grown).reference)
    assert report.uploaded_count == 6_000


@pytest.mark.parametrize("call", ["validate", "find", "poll", "withdraw", "submit"])
def test_credentials_that_are_not_accepted_are_an_authentication_failure(subject: Subject, call: str) -> None:
    arguments: dict[str, tuple[object, ...]] = {
        "validate": (),
        "find": (new_key(),),
        "poll": ("reference",),
        "withdraw": ("reference",),
        "submit": (prepare(subject).payload, new_key()),
    }
    with pytest.raises(AuthenticationError) as caught:
        getattr(subject.connector, call)(subject.rejected, *arguments[call])
    assert caught.value.code == "unauthorized"
