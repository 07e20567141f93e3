"""The labelled set: texts with personal data, by kind, and texts that look like it and must pass.

Belongs here: the labels. Persons, numbers and addresses are made up: telephone numbers of ranges that are kept for
fiction where they exist, cards that issuers publish for tests, addresses of networks that are kept for examples.
Each text is put into a sentence, and some are hard on purpose: what is missed stays in the set and is counted.
"""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from audience_pipeline.settings import PersonalKind


@dataclass(frozen=True, slots=True)
class Case:
    """A text, the member it stands under, and the kind it has, or None."""

    text: str
    kind: PersonalKind | None
    member: str = "notes"


_SENTENCES = ("{}", "Ask {} before the launch", "Built for {}, as agreed", "notes: {}; see the brief", "({})")

_EMAILS = """
jane.doe@example.com|j@example.org|JANE_DOE99@EXAMPLE.CO.UK|jane+audiences@mail.example.net|info@example.museum
jane.doe%40example.com|jane (at) example (dot) com|jane[at]example.com|o'brien@example.ie|müller@example.de
jane@sub.mail.example.com|<jane@example.com>|mailto:jane@example.com|jane\uff20example.com|x_y-z@example.io
"Jane Doe" <jane@example.com>|jane.doe@example.photography|jane@xn--bcher-kva.example|jane @ example . com
jane@localhost
jdoe@mail.example.com, rroe@mail.example.com|jane_doe@example.edu|hello@shop.example|1234567@example.com
jane@EXAMPLE.NET
"email":"jane@example.com"|jane@example.com.au|a.b.c.d@example.gov
"""
_PHONES = """
(212) 555-0147|212-555-0147|212.555.0147|+1 212 555 0147|+12125550147|2125550147|1-212-555-0147|+44 20 7946 0958
+44 7700 900123|+49 30 23125 123|+33 1 42 68 53 00|+1 (650) 253-0000|650-253-0000|(650) 253-0000|650.253.0000
call 6502530000|+61 2 9374 4000|+91 80 6721 8000|+81 3 6384 9000|tel. 415-736-0000|650 253 0000|+1-650-253-0000
+44 (0)20 7946 0958|1 650 253 0000|650/253-0000|+353 1 543 5000|+39 02 3661 8300|+55 11 2395 8400|+34 912 345 678
+31 20 794 0123|(415) 736-0000 ext. 12
"""
_CARDS = """
4111111111111111|4111 1111 1111 1111|4111-1111-1111-1111|5555555555554444|5555 5555 5555 4444|378282246310005
3782 822463 10005|371449635398431|6011111111111117|6011 1111 1111 1117|4012888888881881|3530111333300000
5105105105105100|2223003122003222|2223 0031 2200 3222|4000056655665556|6011000990139424|3566002020360505
card 4242424242424242|visa 4242 4242 4242 4242|30569309025904|38520000023237|6759649826438453|3056 930902 5904
5200828282828210|4242.4242.4242.4242
"""
_NATIONAL = """
078-05-1120|219-09-9999|457-55-5462|SSN 457555462|ssn: 457 55 5462|social security number 457-55-5462|457 55 5462
AB 12 34 56 C|QQ 12 34 56 A|CE 12 34 56 D|NINO AB123456C|SIN 046 454 286|ITIN 912-70-1234|SSN is 219099999
123-45-6789|SSN#123456789|tax id 123-45-6789|passport number C01234567|passport no. 512345678|123.45.6789
social security: 219-09-9999|536-22-1234|536 22 1234
"""
_IPS = """
203.0.113.7|198.51.100.23|192.0.2.146|10.1.2.3|192.168.1.15|8.8.8.8|172.16.254.1|203.0.113.7:443|ip=203.0.113.77
2001:db8::1|2001:0db8:85a3:0000:0000:8a2e:0370:7334|fe80::1ff:fe23:4567:890a|2001:db8:0:1:1:1:1:1|::ffff:203.0.113.7
https://203.0.113.7/pixel|198.51.100.0/24|[2001:db8::2]|2001:DB8::ABCD|visitor from 203.0.113.200|100.64.0.9
192.0.2.1, 192.0.2.2|2001:db8:1234::/48|client 198.51.100.77 said
"""
_MACS = """
00:1A:2B:3C:4D:5E|00-1A-2B-3C-4D-5E|001A.2B3C.4D5E|a4:5e:60:c2:11:9f|A4-5E-60-C2-11-9F|a45e.60c2.119f
F0:18:98:00:00:01
wifi a4:5e:60:c2:11:9f|bssid=00:1a:2b:3c:4d:5e|3c:22:fb:9a:01:77|3C-22-FB-9A-01-77|dc:a6:32:01:02:03|DC-A6-32-0F-02-03
b8:27:eb:12:34:56|b827.eb12.3456|00:50:56:c0:00:08
"""
_ADVERTISING = """
IDFA 6D92078A-8246-4BA4-AE5B-76104861E7DC|idfa:6d92078a-8246-4ba4-ae5b-76104861e7dc
GAID 38400000-8cf0-11bd-b23e-10b96e40000d
aaid=38400000-8cf0-11bd-b23e-10b96e40000d|IDFV 599F9C00-92DC-4B5C-9464-7971F01F8370
MAID 38400000-8cf0-11bd-b23e-10b96e40000d
advertising id 38400000-8cf0-11bd-b23e-10b96e40000d|advertising_id: 97987bca-ae59-4c7d-94ba-ee4f19ab8c21
device id 97987bca-ae59-4c7d-94ba-ee4f19ab8c21|device-id=97987bca-ae59-4c7d-94ba-ee4f19ab8c21
RIDA 97987bca-ae59-4c7d-94ba-ee4f19ab8c21
97987bca-ae59-4c7d-94ba-ee4f19ab8c21 (rida)|TIFA 3f0d4f3c-52a2-4f3a-9ad9-1c7d2b4f6a10
AFAI df07c7dc-cea7-4a89-b328-810ff5acb15d
LGUDID 29a6c7ee-b0a8-4a1b-8f0b-3cf2a0a0c9d1|maids: df07c7dc-cea7-4a89-b328-810ff5acb15d
ad id df07c7dc-cea7-4a89-b328-810ff5acb15d
6D92078A-8246-4BA4-AE5B-76104861E7DC is her phone|device identifier 0B3A5B6F-6C2C-4D6B-9F4B-0A8E5D0F1C2D
"""
_LOCATIONS = """
40.712776, -74.005974|40.7128,-74.0060|34.0522 -118.2437|lat 40.7128, lon -74.0060|40.7128° N, 74.0060° W
48.8584;2.2945
40°42'46"N 74°00'21"W|37.774929/-122.419416|geo:37.7749,-122.4194|-33.8688, 151.2093|51.5007, -0.1246
19.4326, -99.1332
latitude 47.606 longitude -122.332|coordinates 35.6895, 139.6917|gps 52.520008 13.404954|40° 26\u2032 46\u2033 N
(25.7617, -80.1918)
47.6062N, 122.3321W|POINT(-122.4194 37.7749)|[-73.9857, 40.7484]|41.8781,-87.6298|29.7604 N 95.3698 W
"""
_STREETS = """
1600 Pennsylvania Avenue|350 Fifth Avenue|221B Baker Street|12 N Main St.|4059 Mt Lee Dr.|742 Evergreen Terrace
P.O. Box 1234
PO Box 99|1 Infinite Loop, Cupertino, CA|1600 Amphitheatre Parkway|10 Downing Street|500 W 2nd Street
233 S Wacker Drive
55 Water Street Apt 4B|8100 SW Nyberg Road|1234 Elm Ln, Springfield|77 Massachusetts Ave|3 Abbey Road|99 Oak Blvd
12 rue de Rivoli|Hauptstraße 5|Friedrichstr. 43|123 main street|123 elm st, springfield|4 Privet Drive|1200 Hill Trail
2100 Oak Hill Court
1060 West Addison Street|Calle Mayor 12|17 Cherry Tree Lane|900 Market Square #12|30 Rockefeller Plaza
2600 N Lake Shore Drive|415 Mission St, San Francisco, CA 94105
"""
_DIGESTS = ("jane.doe@example.com", "+12125550147", "38400000-8cf0-11bd-b23e-10b96e40000d")


def _hashes() -> Iterator[str]:
    for text in _DIGESTS:
        for name in ("md5", "sha1"):
            digest = hashlib.new(name, text.encode(), usedforsecurity=False)
            yield digest.hexdigest()
            yield base64.b64encode(digest.digest()).decode()
        raw = hashlib.sha256(text.encode()).digest()
        hexadecimal = raw.hex()
        yield hexadecimal
        yield base64.b64encode(raw).decode()
        yield hexadecimal.upper()
        yield base64.b64encode(hexadecimal.encode()).decode()
        yield base64.urlsafe_b64encode(raw).decode().rstrip("=")


_POSITIVES: dict[PersonalKind, str] = {
    "email": _EMAILS,
    "phone": _PHONES,
    "payment_card": _CARDS,
    "national_id": _NATIONAL,
    "ip_address": _IPS,
    "mac_address": _MACS,
    "advertising_id": _ADVERTISING,
    "location": _LOCATIONS,
    "street_address": _STREETS,
    "hashed_id": "|".join(_hashes()),
}

_UNDER = {
    "campaign_id": "CMP-5430|2025053112|20250531|CMP-2125550147|camp_4111111111111111|1748693996789|DV360-998877665544"
    "|12345-67890|A1B2C3D4E5F6|Q4-2025-HOLIDAY-US|120210987654321|cmp.2025.10.12.1|6502530000|000123456789",
    "segment_id": "seg_dpcefnpp_01|d9cef799-0163-4d95-9034-bfdde3497760|00000000-0000-4000-8000-000000000001"
    "|PZM:04:2125550147|SEG-078-05-1120-X|1234567890|seg-2024-01-31-001|9f86d081884c7d65|ttd_seg_88421937465|S_US_35_54_HHI_100K",
    "code": "AGE_35_54|HHI_75000_125000|BUY_STORE_BRANDS|INTENT_2025Q4_AUTO|0412345678|X12Y34Z56|VAR-0001-0002-0003"
    "|A.1.2.3|10.20.30",
    "prizm_segments": "04|29|66|01-68|PZM66|U1",
    "size": "1,234,567|12 345 678|18000000|2,125,550,147 impressions|2125550147 impressions|1.2M",
    "name": "Young Digerati|Money & Brains|Bright Lights, Li'l City|24/7 gamers|Top 40 listeners"
    "|4K TV owners|Route 66 drivers|Q4 2025 Holiday Drive|25 Best Places|5 Star Way|Wall Street readers"
    "|Main Street shoppers"
    "|7 Day Drive|90 Day Court shows|18-34 Street style|Fifth Avenue shoppers|Park Lane fans|21 Jump Street fans"
    "|Class of 2025|9 to 5 workers|Studio 54 nostalgics",
}
_PASSING = """
from 2025-05-31 to 2025-08-31|2025-05-31T12:00:00Z|31.05.2025|05/31/2025|Q4 2025|2025-05-31 12:30:45|12:30:45
12:30-14:45|FY2024-2025
ZIP 90210|90210-1234|ZIPs 10001, 10002, 10003, 10004|98101 98102 98103 98104|DMA 501|DMA codes 501 803 602 807 504
FIPS 06037|MSA 35620
$75,000-$125,000|$1,234,567.89|$2125550147|€1.250.000|CPM 12.50|budget 2,500,000|price 19.99|49.99, 59.99, 69.99
10% off 19.995
v1.2.3.4|version 10.0.19045.3570|release 4.12.0.1|Chrome/120.0.6099.109|section 1.2.3.4|firmware 2.14.7.33|iOS 17.4.1
build 5.0.0.12
0.9274, 0.8091|scores 0.123, 0.456|relevance 0.715 and 0.7075|match rate 0.4512|share 33.10, 28.89|45.01 36.52 33.10
3.141592653589793
ratio 16:9|1080x1920|300x250, 728x90|+25%|+100000 people|-12.5 points|10-12-14-16-18-20|1-2-3-4-5-6|01:02:03
d9cef799-0163-4d95-9034-bfdde3497760|D9CEF799-0163-4D95-9034-BFDDE3497760
audience 00000000-0000-4000-8000-000000000001 replaced
key 123e4567-e89b-12d3-a456-426614174000|platform 97987bca-ae59-4c7d-94ba-ee4f19ab8c21
copy of 550e8400-e29b-41d4-a716-446655440000
commit 9f86d08|abc123def456|deadbeef|0xDEADBEEF|#FF5733|color #a1b2c3|SKU 0012345678905|UPC 012345678905
ISBN 978-3-16-148410-0|EAN 4006381333931
#1 brand|2-for-1 offers|50/50 split|T-Mobile 5G|3M buyers|7-Eleven visitors|7up drinkers|49ers fans|Area 51|U2 fans
F-150 owners|iPhone 15 users
@brandhandle|follow @acme on social|banner@2x.png|logo@3x.webp|price @ 5 dollars|100 @ $5|C++ & C# @ work|a@b
user at large|look at example dot com
HH income 100K+|ages 25-44|ages 18 to 34|35 to 54 drive often|1 in 10 households|3 of 5 shoppers|2 cars per home
5 miles from a store|10 minute drive
within 25 miles of a store|open 9-5|24 hour road service|3 lane highways|2 way street access|100 day court drive
one way|4 star places
device ids are never sent|no IDFA targeting|MAID match expected at 60%|advertising id opt-outs excluded
maid service users|la vida loca
SSN holders are not targeted|no phone numbers here|call centre audience|text subscribers, 2025|contact rate 12.5
card holders 2024|passport owners
lat am audience|Long Beach, CA|North Carolina|St. Louis|Dr. Pepper buyers|Ave Maria University|Court TV fans
the 405 freeway|Highway 101 commuters
IPv4 and IPv6 homes|Mac users|Class::Method|a::b|C::D|time 10:11|Matthew 5:3-12|scale 1:10000|localhost 127.0.0.1
0.0.0.0
base64|aGVsbG8gd29ybGQ=|VGhpcyBpcyBhIHBsYWluIHNlbnRlbmNl|AAAAAAAAAAAAAAAAAAAAAA==|LIFE_HUNTING_FISHING_OUTDOOR_SPORTS
abcdefghijklmnopqrstuvwxyz0123456789
https://example.com/audiences/2025/05/31/report|https://example.com/a/b/c?id=1234567
s3://bucket/2025/05/31/part-00001.parquet|/2025/05/31
order 4111111111111112|4111111111111112|1234567890123456|1234 5678 9012 3456|0000 0000 0000 0000|9999999999999
16 digits: 1111222233334444
000-12-3456|666-12-3456|123-00-4567|123-45-0000|12-345-6789|123-456-789|12-3456789|987654321|1-800-FLOWERS|911|411
555-0147|dial 311
111-111-1111|000-000-0000|123-456-7890|1234567|12345678|999 999 9999|+1|+123|tel: n/a|0123456789|2024 2025 2026
1990 1991 1992 1993
Día de los Muertos|São Paulo fans|crème brûlée|München|東京|20 % of 65+|half of 1,000,000|5.0 of 5|N=1200, p<0.001
R2=0.873
Householder aged 35 to 54|Cooks from scratch most days|Plays on a console weekly|frequency cap 3/24h
top 10 avenue shops|75 main characters|12 streaming lanes|3 N of 5|Exit 12 Road Trips|50 State Street brands
Zone 5 Drive-in fans|1000 Island Way dressing|200 Best Street Food Places|the 12 Days of Circle week
2500 Sq Ft Court homes|5G Lane|weights 10,20,30,40|1,2,3,4,5,6,7,8,9,10
"""


def cases() -> list[Case]:
    """Return the whole set: each text with personal data in a sentence, each other one as it is."""
    found = [
        Case(_SENTENCES[at % len(_SENTENCES)].format(text), kind)
        for kind, texts in _POSITIVES.items()
        for at, text in enumerate(_split(texts))
    ]
    found += [Case(text, None, member) for member, texts in _UNDER.items() for text in texts.split("|")]
    return [*found, *(Case(text, None) for text in _split(_PASSING))]


def _split(texts: str) -> list[str]:
    return [text for line in texts.strip().splitlines() for text in line.split("|")]
