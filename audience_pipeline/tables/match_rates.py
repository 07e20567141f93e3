"""The derived table of match rates: its columns, with their types and what they say.

Belongs here: the columns in their order. Does not belong here: the sums (`audience_pipeline.delivery.matching`). It is
no table of the store: it can be made anew from the distributions at any time.
"""

MATCH_RATES: dict[str, tuple[str, str]] = {
    "month": ("TIMESTAMP", "The month its distributions were asked for, UTC."),
    "user_id": ("STRING", "The tenant that owns the rows."),
    "platform_id": ("STRING", "Where they were sent."),
    "platform_type": ("STRING", "Which kind of platform that is."),
    "audience_id": ("STRING", "What was sent."),
    "day": ("TIMESTAMP", "The day they were sent, UTC."),
    "basis": ("STRING", "reported, reported_range, reach_estimate or simulated; null where nothing is known."),
    "distributions": ("INT64", "How many completed."),
    "measured": ("INT64", "How many of them say how much was received and how much was matched."),
    "total_records": ("INT64", "Members received, of those measured."),
    "matched_records": ("INT64", "Members matched, of those measured."),
    "match_rate": ("FLOAT64", "matched_records / total_records."),
    "match_rate_lower": ("FLOAT64", "The lowest of the bounds given."),
    "match_rate_upper": ("FLOAT64", "The highest of the bounds given."),
}
