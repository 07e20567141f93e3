"""The words the demo's organizations, audiences, campaigns and errors are named with.

Belongs here: vocabularies, none of which names a real company or a person. Does not belong here: how they are combined
(that sits with the record they appear in).
"""

ORGANIZATION_FIRST = (
    "Alder", "Amberline", "Basin", "Bluestem", "Brightwater", "Canyon", "Cedarfield", "Copperleaf", "Driftwood",
    "Eastmere", "Fernhill", "Foxglove", "Granite", "Harborlight", "Hazelton", "Ironwood", "Juniper", "Kestrel",
    "Larkspur", "Lowland", "Maplecrest", "Meridian", "Northpine", "Oakhaven", "Palisade", "Quarry", "Redbud",
    "Ridgeway", "Saltmarsh", "Silverbirch", "Stonebridge", "Tallgrass", "Thistledown", "Umbra", "Verdant", "Westerly",
    "Willowmere", "Yarrow",
)  # fmt: skip
ORGANIZATION_SECOND = (
    "Airways", "Apparel", "Auto Group", "Bancorp", "Beverages", "Credit Union", "Foods", "Furniture", "Health",
    "Home & Garden", "Hotels", "Insurance", "Markets", "Media", "Mobility", "Outfitters", "Pet Supply", "Pharmacy",
    "Realty", "Restaurants", "Sporting Goods", "Telecom", "Toys", "Travel",
)  # fmt: skip
MAILBOXES = ("media", "marketing", "growth", "brand", "audiences", "planning")

REGIONS = (
    "Pacific Northwest", "Northern California", "Southern California", "Mountain West", "Desert Southwest", "Texas",
    "Great Plains", "Upper Midwest", "Great Lakes", "Ohio Valley", "Mid-South", "Gulf Coast", "Florida", "Southeast",
    "Mid-Atlantic", "New York DMA", "New England", "National",
)  # fmt: skip
GOALS = (
    "holiday shoppers", "loyal customers", "lapsed customers", "new movers", "in-market car buyers", "home improvers",
    "family travelers", "premium streamers", "healthy eaters", "first-time buyers", "value seekers", "outdoor fans",
    "back-to-school parents", "pet owners", "small-space renters", "retirement planners",
)  # fmt: skip
HABITS = (
    "bargain hunters", "binge watchers", "brand loyalists", "concert goers", "do-it-yourselfers", "early adopters",
    "frequent travelers", "home cooks", "live sports fans", "online shoppers", "podcast listeners", "store visitors",
    "weekend drivers",
)  # fmt: skip
CAMPAIGN_THEMES = (
    "Always On", "Back to School", "Big Game", "Brand Refresh", "Día de los Muertos", "Holiday Gifting",
    "Loyalty Boost", "New Store Openings", "Product Launch", "Spring Sale", "Summer Getaway", "Winback",
)  # fmt: skip
TAGS = (
    "ctv", "display", "evergreen", "high-value", "holiday", "lookalike", "prospecting", "q4", "regional", "retention",
    "seasonal", "suppression", "test", "video",
)  # fmt: skip
NOTES = (
    "Agreed with the brand team; sizes are household estimates.",
    "Suppress recent purchasers at the platform.",
    "Compare with last season before the next refresh.",
    "Built for the regional test; keep the holdout untouched.",
    "Sizes drop after the yearly census update, as expected.",
)
APPROVERS = ("brand-director", "media-lead", "privacy-office", "channel-manager")
PERMISSIONS = (
    "audiences:read",
    "audiences:write",
    "platforms:read",
    "distributions:write",
    "platforms:write",
    "distributions:approve",
)
"""From what everybody may to what few may."""

AGE_BANDS = ("18-34", "25-44", "35-54", "45-64", "55+", "65+")
INCOME_BANDS = ("over $200,000", "$125,000-$200,000", "$75,000-$125,000", "$35,000-$75,000", "under $35,000")
"""From the most affluent down, as PRIZM numbers its segments."""
CHANNELS = ("connected TV", "online video", "display", "paid social", "audio", "digital out of home")

FAILURES = {
    "PLATFORM_TIMEOUT": "The platform did not answer within the deadline.",
    "RATE_LIMITED": "The platform refused further calls for now.",
    "AUTHENTICATION_FAILED": "The platform refused the credentials.",
    "AUDIENCE_TOO_SMALL": "The platform requires a larger audience.",
    "SEGMENT_NOT_FOUND": "The platform no longer knows a segment.",
    "POLICY_VIOLATION": "The platform's policy forbids the audience.",
}
REJECTED = ("APPROVAL_REJECTED", "The request was rejected before it was sent.")
