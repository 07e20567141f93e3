"""Preparing: pure, independent of order, and exact about what changed."""

import hashlib
import random
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from audience_pipeline.delivery.connectors.contract import Prepared
from audience_pipeline.delivery.connectors.sandbox import SandboxConnector
from audience_pipeline.delivery.connectors.transport import Transport
from audience_pipeline_tests.delivery.connectors.builders import SIZES, content, segment

CONNECTOR = SandboxConnector("facebook", "", Transport(1))
JSON = st.recursive(st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3), st.lists)
SEGMENTS = st.dictionaries(
    st.text(min_size=1, max_size=4), st.dictionaries(st.text(max_size=3), JSON, max_size=4), min_size=1, max_size=6
)


def prepare(sizes: Mapping[str, int], *segments: dict[str, Any], since: Mapping[str, str] | None = None) -> Prepared:
    return CONNECTOR.prepare(content(*segments), sizes=sizes, match_rate=0.5, since=since)


def shuffled(members: dict[str, Any], draws: random.Random) -> dict[str, Any]:
    return dict(draws.sample(list(members.items()), len(members)))


@given(SEGMENTS, st.randoms(use_true_random=False))
def test_a_payload_does_not_depend_on_any_order(told: dict[str, dict[str, Any]], draws: random.Random) -> None:
    sizes = {key: 10 * len(key) for key in told}
    segments = [segment(key, characteristics=members) for key, members in told.items()]
    mixed = [
        shuffled(each | {"characteristics": shuffled(each["characteristics"], draws)}, draws)
        for each in draws.sample(segments, len(segments))
    ]
    first = prepare(sizes, *segments)
    assert prepare(shuffled(sizes, draws), *mixed) == first
    assert first.digest == hashlib.sha256(first.payload).hexdigest()
    assert [each.segment_id for each in first.segments] == sorted(told)


@given(SEGMENTS)
def test_what_the_platform_has_is_not_sent_again(told: dict[str, dict[str, Any]]) -> None:
    sizes, segments = dict.fromkeys(told, 100), [segment(key, characteristics=told[key]) for key in told]
    before = {each.segment_id: each.digest for each in prepare(sizes, *segments).segments}
    assert prepare(sizes, *segments, since=before).included == ()
    grown = next(iter(told))
    assert prepare(sizes | {grown: 101}, *segments, since=before).included == (grown,)


def test_arguments_are_left_as_they_were() -> None:
    segments, sizes = (segment("s2"), segment("s1")), dict(SIZES)
    prepare(sizes, *segments)
    assert (segments, sizes) == ((segment("s2"), segment("s1")), SIZES)


def test_anything_that_is_sent_of_a_segment_changes_its_digest() -> None:
    def digest(size: int = 10, **members: object) -> str:
        return prepare({"s1": size}, segment("s1", **members)).segments[0].digest

    assert len({digest(), digest(11), digest(name="Other"), digest(characteristics={"age": "35-44"})}) == 4


def test_a_segment_without_a_size_is_left_out_and_held_for_it() -> None:
    prepared = prepare({"s1": 10})
    assert prepared.included == ("s1",)
    assert [hold.reason for hold in prepared.holds] == ["size_unknown"]


def test_more_segments_than_a_submission_carries_are_held() -> None:
    sizes = {f"s{number:04d}": 100 for number in range(CONNECTOR.limits.batch_size + 1)}
    prepared = prepare(sizes, *map(segment, sizes))
    assert [hold.reason for hold in prepared.holds] == ["too_many_segments"]


def test_the_estimate_is_the_price_asked_for_and_unknown_without_one() -> None:
    cost = prepare(SIZES).cost
    assert cost is not None
    assert (cost.amount, cost.currency, cost.pricing) == (120.5, "USD", "flat_fee")
    assert CONNECTOR.prepare(content(price=None), sizes=SIZES).cost is None
