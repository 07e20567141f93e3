"""The page of `make prove`: a row for each proof with what it counted, and when and where it ran."""

from typing import Literal

import pytest

from audience_pipeline_tests.prove import Outcomes, page


def report(when: Literal["setup", "call", "teardown"], outcome: Literal["passed", "failed"]) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid="audience_pipeline_tests/storage/test_kill.py::test_a_killed_writer_leaves_whole_files",
        location=("test_kill.py", 1, "test"),
        keywords={},
        outcome=outcome,
        longrepr=None,
        when=when,
        duration=61.4,
        user_properties=[("kills", 300)],
    )


def test_a_proof_has_one_row_with_what_it_counted() -> None:
    outcomes = Outcomes()
    for when in ("setup", "call", "teardown"):
        outcomes.pytest_runtest_logreport(report(when, "passed"))
    row = "| `storage/test_kill.py::test_a_killed_writer_leaves_whole_files` | passed | 61 s | kills 300 |"
    assert outcomes.rows == [row]
    assert row in page(outcomes.rows)


def test_a_failed_set_up_is_not_lost() -> None:
    outcomes = Outcomes()
    outcomes.pytest_runtest_logreport(report("setup", "failed"))
    assert "| failed |" in outcomes.rows[0]


def test_the_page_is_dated_and_names_the_commit() -> None:
    head = page([]).splitlines()[2]
    assert " UTC, at commit " in head
    assert "Python 3." in head
