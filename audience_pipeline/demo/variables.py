"""The variables the demo's audiences are built from: code, type and description.

Belongs here: a small catalogue in the manner of the data sold for audience building: census demographics (the American
Community Survey's topics), consumer spending, media use, lifestyle, shopping intent. Does not belong here: values.
"""

from typing import NamedTuple

_CATALOGUE = {
    "demographic": {
        "AGE_18_24": "Householder aged 18 to 24",
        "AGE_25_34": "Householder aged 25 to 34",
        "AGE_35_54": "Householder aged 35 to 54",
        "AGE_65_PLUS": "Householder aged 65 or over",
        "HH_INCOME_UNDER_35K": "Household income below $35,000",
        "HH_INCOME_75K_100K": "Household income from $75,000 to $100,000",
        "HH_INCOME_100K_PLUS": "Household income of $100,000 or more",
        "HH_INCOME_200K_PLUS": "Household income of $200,000 or more",
        "HH_CHILDREN_UNDER_6": "Household with children under 6",
        "HH_CHILDREN_6_17": "Household with children from 6 to 17",
        "HH_SIZE_1": "One-person household",
        "HH_MULTIGENERATION": "Three or more generations under one roof",
        "EDU_BACHELORS_PLUS": "Bachelor's degree or higher",
        "EDU_GRADUATE": "Graduate or professional degree",
        "OCC_MANAGEMENT": "Management, business or financial occupation",
        "OCC_TRADES": "Construction, repair or production occupation",
        "LANG_SPANISH_HOME": "Spanish spoken at home",
        "VETERAN_HH": "Household with a veteran",
    },
    "housing": {
        "OWNER_OCCUPIED": "Owner-occupied home",
        "RENTER_OCCUPIED": "Renter-occupied home",
        "HOME_VALUE_500K_PLUS": "Home valued at $500,000 or more",
        "HOME_BUILT_AFTER_2010": "Home built in 2010 or later",
        "MOVED_PAST_YEAR": "Moved within the past year",
        "COMMUTE_45_PLUS": "Commute of 45 minutes or more",
        "WORK_FROM_HOME": "Works from home",
        "VEHICLES_3_PLUS": "Three or more vehicles available",
    },
    "financial": {
        "CEX_APPAREL_HIGH": "Spends more than average on apparel",
        "CEX_DINING_OUT_HIGH": "Spends more than average on food away from home",
        "CEX_GROCERY_ORGANIC": "Buys organic groceries weekly",
        "CEX_TRAVEL_HIGH": "Spends more than average on lodging and air fares",
        "CEX_HOME_IMPROVEMENT": "Spent on home improvement in the past year",
        "FIN_INVESTABLE_250K": "Investable assets of $250,000 or more",
        "FIN_REWARDS_CARD": "Uses a rewards credit card",
        "FIN_FIRST_MORTGAGE": "First mortgage in the past five years",
        "FIN_ONLINE_BROKERAGE": "Trades through an online brokerage",
    },
    "media": {
        "MEDIA_STREAMING_HEAVY": "Streams video more than 20 hours a week",
        "MEDIA_CTV_AD_SUPPORTED": "Watches advertising-supported connected TV",
        "MEDIA_LINEAR_TV_HEAVY": "Watches broadcast or cable TV daily",
        "MEDIA_PODCAST_WEEKLY": "Listens to podcasts weekly",
        "MEDIA_LIVE_SPORTS": "Watches live sports weekly",
        "MEDIA_SOCIAL_DAILY": "Uses social media several times a day",
        "MEDIA_SHORT_VIDEO": "Watches short videos daily",
        "MEDIA_NEWS_DIGITAL": "Pays for digital news",
        "MEDIA_RADIO_COMMUTE": "Listens to the radio on the way to work",
        "MEDIA_GAMING_CONSOLE": "Plays on a console weekly",
    },
    "behavioral": {
        "BUY_ONLINE_WEEKLY": "Buys online at least weekly",
        "BUY_COUPON_APPS": "Uses coupon or cash-back apps",
        "BUY_STORE_BRANDS": "Prefers store brands",
        "BUY_EARLY_ADOPTER": "Among the first to buy new technology",
        "BUY_SUBSCRIPTION_BOX": "Subscribes to a delivery box",
        "INTENT_AUTO_NEW": "Intends to buy a new car within six months",
        "INTENT_AUTO_EV": "Considers an electric car",
        "INTENT_HOME_PURCHASE": "Intends to buy a home within a year",
        "INTENT_INSURANCE_SWITCH": "Considers switching auto insurance",
        "INTENT_HOLIDAY_TRAVEL": "Plans holiday travel",
    },
    "lifestyle": {
        "LIFE_FITNESS_CLUB": "Member of a fitness club",
        "LIFE_OUTDOOR_CAMPING": "Camps or hikes several times a year",
        "LIFE_HUNTING_FISHING": "Hunts or fishes",
        "LIFE_GARDENING": "Gardens regularly",
        "LIFE_PET_DOG": "Owns a dog",
        "LIFE_CULTURE_EVENTS": "Attends concerts, theater or museums",
        "LIFE_COOKING_SCRATCH": "Cooks from scratch most days",
        "LIFE_GREEN_VALUES": "Pays more for sustainable products",
        "LIFE_VOLUNTEERS": "Volunteers locally",
        "LIFE_CRUISE_TRAVEL": "Took a cruise in the past three years",
    },
}


class Variable(NamedTuple):
    """One variable: its code, what it says, and its type."""

    code: str
    description: str
    type: str


VARIABLES = tuple(
    Variable(code, description, kind) for kind, entries in _CATALOGUE.items() for code, description in entries.items()
)
"""All variables, grouped by type."""
