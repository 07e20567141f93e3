"""The published list: complete, in order, and grouped."""

from collections import Counter

from audience_pipeline.demo.prizm import BY_GROUP, SEGMENTS, SOCIAL_GROUPS


def test_there_are_68_segments_numbered_in_order_with_distinct_names() -> None:
    assert [segment.code for segment in SEGMENTS] == [f"{number:02d}" for number in range(1, 69)]
    assert len({segment.name for segment in SEGMENTS}) == 68


def test_the_segments_are_the_published_ones() -> None:
    names = {segment.code: segment.name for segment in SEGMENTS}
    assert names["01"] == "Upper Crust"
    assert names["04"] == "Young Digerati"
    assert names["09"] == "Big Fish, Small Pond"
    assert names["37"] == "Bright Lights, Li'l City"
    assert names["68"] == "Bedrock America"


def test_every_segment_has_one_of_the_14_social_groups_and_its_urbanicity() -> None:
    assert len(SOCIAL_GROUPS) == 14
    assert sum(len(segments) for segments in BY_GROUP.values()) == 68
    urbanicities = Counter(segment.urbanicity for segment in SEGMENTS)
    assert urbanicities == {"Urban": 13, "Suburban": 18, "Second City": 13, "Town & Rural": 24}
