"""The 68 segments of Claritas PRIZM Premier, by number, name and social group.

Belongs here: the published names, which audience segments refer to by their two-digit codes. Does not belong here: any
number of households or any claim about them; the demo makes those up.

Segments are numbered by affluence, 01 first. A social group combines urbanicity with affluence; the first letter of its
code says where its people live. PRIZM is a registered trademark of Claritas, LLC, which this project has no part in.
"""

from typing import NamedTuple

URBANICITY = {"U": "Urban", "S": "Suburban", "C": "Second City", "T": "Town & Rural"}

SOCIAL_GROUPS = {
    "U1": "Urban Uptown",
    "U2": "Midtown Mix",
    "U3": "Urban Cores",
    "S1": "Elite Suburbs",
    "S2": "The Affluentials",
    "S3": "Middleburbs",
    "S4": "Inner Suburbs",
    "C1": "Second City Society",
    "C2": "City Centers",
    "C3": "Micro-City Mix",
    "T1": "Landed Gentry",
    "T2": "Country Comfort",
    "T3": "Middle America",
    "T4": "Rustic Living",
}

_TABLE = """
01 S1 Upper Crust
02 S1 Networked Neighbors
03 S1 Movers & Shakers
04 U1 Young Digerati
05 T1 Country Squires
06 S2 Winner's Circle
07 U1 Money & Brains
08 S2 Gray Power
09 T1 Big Fish, Small Pond
10 S2 Executive Suites
11 T1 Fast-Track Families
12 S2 Cruisin' to Retirement
13 S2 Upward Bound
14 S2 Kids & Cul-de-Sacs
15 T1 New Homesteaders
16 S2 Beltway Boomers
17 U2 Urban Elders
18 T2 Mayberry-ville
19 U1 American Dreams
20 S3 Empty Nests
21 U1 The Cosmopolitans
22 C1 Middleburg Managers
23 T2 Township Travelers
24 T2 Pickup Patriarchs
25 S3 Up-and-Comers
26 S3 Home Sweet Home
27 T2 Big Sky Families
28 T2 Country Casuals
29 T2 White Picket Fences
30 S3 Pools & Patios
31 U2 Connected Bohemians
32 T3 Traditional Times
33 C1 Second City Startups
34 S4 Young & Influential
35 U2 Urban Achievers
36 S4 Toolbelt Traditionalists
37 C1 Bright Lights, Li'l City
38 T3 Hometown Retired
39 T3 Kid Country, USA
40 U2 Aspiring A-Listers
41 S4 Domestic Duos
42 U3 Multi-Culti Mosaic
43 U3 City Roots
44 T3 Country Strong
45 U3 Urban Modern Mix
46 T3 Heartlanders
47 C2 Striving Selfies
48 C2 Generation Web
49 C2 American Classics
50 S4 Metro Grads
51 T3 Campers & Camo
52 T3 Simple Pleasures
53 C2 Lo-Tech Singles
54 C2 Struggling Singles
55 T4 Red, White & Blue
56 U3 Multi-Culti Families
57 T4 Back Country Folks
58 T4 Golden Ponds
59 C3 New Melting Pot
60 T4 Small-Town Collegiates
61 C3 Second City Generations
62 T4 Crossroad Villagers
63 U3 Low-Rise Living
64 C3 Family Thrifts
65 T4 Young & Rustic
66 C3 New Beginnings
67 C3 Park Bench Seniors
68 T4 Bedrock America
"""


class PrizmSegment(NamedTuple):
    """One PRIZM Premier segment: its two-digit code, its name, and the code of its social group."""

    code: str
    name: str
    group: str

    @property
    def urbanicity(self) -> str:
        """Where the segment's households live."""
        return URBANICITY[self.group[0]]


def _segment(line: str) -> PrizmSegment:
    code, group, name = line.split(" ", 2)
    return PrizmSegment(code, name, group)


SEGMENTS = tuple(_segment(line) for line in _TABLE.strip().splitlines())
"""All segments in the order of their codes."""

BY_GROUP = {group: tuple(segment for segment in SEGMENTS if segment.group == group) for group in SOCIAL_GROUPS}
"""The segments of each social group, whose households resemble each other."""
