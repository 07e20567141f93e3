"""Months as partition keys and as the store's integers."""

from datetime import UTC, datetime

import hypothesis
import pytest
from hypothesis import strategies as st

from audience_pipeline.partitions import (
    PARTITION,
    RANGE_END,
    RANGE_START,
    month_key,
    month_number,
    monthly,
    months_between,
    months_of_run,
    span,
)

months = st.builds(lambda year, month: year * 100 + month, st.integers(1970, 2999), st.integers(1, 12))


def test_the_partitions_end_with_the_month_after_the_current() -> None:
    keys = monthly("2024-01").get_partition_keys(current_time=datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
    assert (keys[0], keys[-2:]) == ("2024-01", ["2026-12", "2027-01"])


@hypothesis.given(months)
def test_a_month_survives_both_spellings(month: int) -> None:
    assert month_number(month_key(month)) == month


@hypothesis.given(months, st.integers(0, 40))
def test_consecutive_months_are_a_span_and_one_left_out_is_none(first: int, more: int) -> None:
    index = first // 100 * 12 + first % 100 - 1 + more
    last = index // 12 * 100 + index % 12 + 1
    between = months_between(first, last)
    assert len(between) == more + 1
    assert span(reversed(between)) == (first, last)
    if more > 1:
        assert span(between[:1] + between[2:]) is None


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, None),
        ({PARTITION: "2025-05"}, (202505, 202505)),
        ({RANGE_START: "2024-12", RANGE_END: "2025-02"}, (202412, 202502)),
    ],
)
def test_the_months_of_a_run_are_read_off_its_tags(tags: dict[str, str], expected: tuple[int, int] | None) -> None:
    assert months_of_run(tags) == expected


def test_no_months_are_no_span() -> None:
    assert span([]) is None
