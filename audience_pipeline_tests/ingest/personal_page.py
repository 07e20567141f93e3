"""The page that says what is found in the labelled set, and what is not."""

from functools import cache
from typing import get_args

from audience_pipeline.ingest.pii.judging import NAMES, Judge
from audience_pipeline.settings import PersonalKind
from audience_pipeline.tables import AUDIENCES
from audience_pipeline_tests.ingest.personal_cases import Case, cases

_HEAD = """# Personal data

Audiences are aggregates. A record of `audiences` is refused when its name, description, original query, variables,
segments, characteristics, tags, notes or any text nested in them has one of the kinds below, or when a segment has
members, but fewer than `AUDIENCE_PIPELINE_MIN_SEGMENT_SIZE`. The reason names the field and the kind, and does not
repeat the value; what is kept in quarantine has the kind in the value's place, so the record must be sent again. The
file it came from is not changed: it is yours to remove.

`AUDIENCE_PIPELINE_PII_ALLOWED` lets kinds pass, by their names: `street_address,hashed_id`.

Numbers without `+` are read as telephone numbers of the United States, and must be grouped as they are there. A number
inside a longer code of letters and digits is part of the code. Ten bare digits in a member that holds codes are one.

Measured on the labelled set of `audience_pipeline_tests/ingest/personal_cases.py`, made up for this purpose; some texts
are hard on purpose. The detectors were written with this set in sight, so expect less of texts of your own. The page is
derived by `make derive`, and a test fails when the figures change.

| kind | what | texts | found | recall |
|---|---|---|---|---|"""
_INDIVIDUALS = """
`individuals` is told by the names of members in `characteristics`, such as `first_name`, `customer_ids`, or `members`
with a list. It has no texts in this set; its cases are in `test_personal.py`.
"""


@cache
def verdicts() -> dict[Case, list[PersonalKind]]:
    """Return the kinds found in each case."""
    judge = Judge(AUDIENCES, frozenset())
    return {case: judge.kinds(case.text, case.member) for case in cases()}


def recall() -> dict[PersonalKind, tuple[int, int]]:
    """Return, by kind, the texts that have it and those of them it was found in."""
    rows = {}
    for kind in get_args(PersonalKind):
        own = [found for case, found in verdicts().items() if case.kind == kind]
        if own:
            rows[kind] = (len(own), sum(kind in found for found in own))
    return rows


def false_positives() -> list[Case]:
    """Return the texts without personal data in which some was found."""
    return [case for case, found in verdicts().items() if case.kind is None and found]


def personal_page() -> str:
    """Render the page."""
    rows = [
        f"| `{kind}` | {NAMES[kind]} | {texts} | {found} | {found / texts:.0%} |"
        for kind, (texts, found) in recall().items()
    ]
    texts, found = (sum(each[at] for each in recall().values()) for at in (0, 1))
    passing = [case for case in verdicts() if case.kind is None]
    wrong = false_positives()
    rows.append(f"| all | | {texts} | {found} | {found / texts:.1%} |")
    missed = [case.text for case, kinds in verdicts().items() if case.kind is not None and case.kind not in kinds]
    return "\n".join(
        [
            _HEAD,
            *rows,
            _INDIVIDUALS,
            f"Of {len(passing)} texts that have none (campaign ids, ZIP codes, segment codes, sizes, dates, prices,",
            f"keys, versions, scores), {len(wrong)} were taken for personal data: {len(wrong) / len(passing):.1%}.",
            "",
            "Missed:",
            "",
            *(f"- `{text}`" for text in missed),
            "",
            "Taken for personal data:",
            "",
            *(f"- `{case.text}` ({', '.join(verdicts()[case])})" for case in wrong),
            "",
        ]
    )
