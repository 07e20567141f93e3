"""A hundred thousand damaged and hostile lines: each is a row or a reason, and no row is one that should not be."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from audience_pipeline.ingest.chunks import LINE_NUMBER, Chunks, RefusedLine
from audience_pipeline.ingest.lines import Block
from audience_pipeline.ingest.records import Records
from audience_pipeline.ingest.rules import Limits
from audience_pipeline.security import seal_platform
from audience_pipeline.security.keyset import generate_keyset
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, PLATFORMS, USERS, Table
from audience_pipeline.tables.types import LogicalType
from audience_pipeline_tests.ingest.builders import NOW, Record, audience, line, platform, segment
from audience_pipeline_tests.ingest.fuzzing import PLAIN, PLANTED, complaints, mutated, texts
from audience_pipeline_tests.ingest.test_fast_path import VALID

CASES, AT_ONCE = 100_000, 50
SEED = "the record parser"
KEYSET = generate_keyset()
SEALED = seal_platform(platform(credentials={"api_key": "k", "additional_config": {"a": "b"}}), KEYSET)
RECORDS: dict[str, Record] = VALID | {PLATFORMS.name: {**SEALED, "settings": {"auto_refresh": True}}}
LINES = [line(record) for record in RECORDS.values()]
TABLES = {table.name: table for table in (USERS, AUDIENCES, PLATFORMS, DISTRIBUTIONS)}
JUDGES = {name: Chunks(table, Records(table, Limits(NOW, 202401), KEYSET)) for name, table in TABLES.items()}


def judged(table: Table, lines: list[bytes]) -> tuple[dict[int, dict[str, Any]], dict[int, RefusedLine]]:
    """Return rows and refusals by the number of the line; times as milliseconds."""
    chunk = JUDGES[table.name].judge(Block(0, 0, b"\n".join(lines)))
    rows = {row.pop(LINE_NUMBER): row for row in chunk.rows.to_pylist()}
    for row in rows.values():
        for column in table.of_type(LogicalType.TIMESTAMP):
            moment = row[column.name]
            row[column.name] = moment and moment.timestamp() * 1000
    assert chunk.read == len(rows) + len(chunk.refused)
    return rows, {refused.number: refused for refused in chunk.refused}


def unseemly(table: Table, raw: bytes, row: dict[str, Any]) -> list[str]:
    """Return why an accepted row should have been refused."""
    if found := complaints(table, raw, row):
        return found
    if table is AUDIENCES and any(PLANTED in text for text in texts({**json.loads(raw), "user_id": None})):
        found.append("personal data")
    if table is PLATFORMS and row["credentials"]:
        taken, sent = json.loads(row["credentials"]), SEALED["credentials"]
        owner = (row["user_id"], row["platform_id"]) == (SEALED["user_id"], SEALED["platform_id"])
        secrets = {name: taken[name] for name in ("api_key", "additional_config") if taken.get(name) is not None}
        if secrets and not (owner and all(sent[name] == text for name, text in secrets.items())):
            found.append("credentials that were sealed for nobody, or for somebody else")
    return found


def indiscreet(table: Table, raw: bytes, refused: RefusedLine) -> list[str]:
    """Return what is wrong with a refusal: no reason, or one that tells what nobody may know."""
    found = [] if refused.problems and all(each.found and each.expected for each in refused.problems) else ["no reason"]
    kept = (refused.record or b"") + refused.head
    if PLAIN.encode() in kept + repr(refused.problems).encode() and (table is PLATFORMS or names_secret(raw)):
        found.append("a secret is kept")
    if table is AUDIENCES and PLANTED in repr(refused.problems):
        found.append("personal data is repeated")
    if (
        table is AUDIENCES
        and PLANTED.encode() in kept
        and not any(_names_tenant(each) for each in (refused.record, refused.head))
    ):
        found.append("personal data is kept")
    return found


def names_secret(raw: bytes) -> bool:
    """Return whether a line has the name of a secret, whole: where it does not, nothing tells a secret from a text."""
    return any(name in raw for name in (b'"credentials"', b'"api_key"'))


def _names_tenant(kept: bytes | None) -> bool:
    """Return whether the planted text is the tenant's own name, and nothing else."""
    try:
        record = json.loads(kept or b"")
    except ValueError:
        return False
    return PLANTED in str(record.get("user_id")) and not any(
        PLANTED in text for text in texts({**record, "user_id": None})
    )


def batches() -> Iterator[tuple[Table, list[bytes]]]:
    """Yield lines to be judged together, the same ones at each run."""
    for number in range(CASES // AT_ONCE):
        chance = Random(f"{SEED} {number}")  # noqa: S311 - for repeatable tests
        table = TABLES[chance.choice(sorted(TABLES))]
        damaged = b"\n".join(mutated(RECORDS[table.name], LINES, chance) for _ in range(AT_ONCE))
        yield table, damaged.split(b"\n")


@pytest.mark.prove
def test_of_a_hundred_thousand_damaged_lines_none_crashes_the_parser_or_is_accepted_wrongly(
    record_property: Callable[[str, object], None],
) -> None:
    accepted: Counter[str] = Counter()
    for table, lines in batches():
        rows, refused = judged(table, lines)
        assert rows.keys() | refused.keys() == {at for at, raw in enumerate(lines) if raw and not raw.isspace()}
        for at, row in rows.items():
            assert unseemly(table, lines[at], row) == [], lines[at]
        for at, each in refused.items():
            assert indiscreet(table, lines[at], each) == [], (lines[at], each)
        accepted[table.name] += len(rows)
    assert all(accepted[name] > CASES // 100 for name in TABLES), "few were accepted: the oracle had little to judge"
    record_property("lines", CASES)
    record_property("accepted", accepted.total())


def test_the_oracle_tells_what_should_not_have_been_accepted() -> None:
    good = VALID[AUDIENCES.name]
    (row,) = judged(AUDIENCES, [line(good)])[0].values()
    assert unseemly(AUDIENCES, line(good), row) == []
    for bad in (
        line(audience(name=PLANTED)),
        line(audience(segments=[segment(characteristics={PLANTED: 1})])),
        line({**good, "name": 5}),
        line({**good, "odd": 1}),
        line({**good, "status": "other"}),
        line({**good, "created_at": "2024-01-01T00:00:00Z"}),
        line({name: value for name, value in good.items() if name != "name"}),
        line(good)[:-1] + b',"name":"again"}',
        line(good)[:-1],
    ):
        assert unseemly(AUDIENCES, bad, row) != []
