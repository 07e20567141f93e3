"""BigQuery's own parser accepts every statement the store makes, for every table."""

from string import Template

import pytest

from audience_pipeline.sqlfiles import SQL_DIRECTORY
from audience_pipeline.storage.bigquery.rules import judge_query, upsert_script
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.tables import STORED
from audience_pipeline_tests.tables.test_bigquery import refusal

PARTS = {
    "absent": "''",
    "assignments": "`a` = w.`a`",
    "clustering": "\nCLUSTER BY a",
    "columns": "`a`",
    "conditions": "TRUE",
    "fields": "`a` INT64 OPTIONS (description = 'int64')",
    "limit": "\nLIMIT @row_limit",
    "lines_per_file": "4294967296",
    "month": "0",
    "new": "PARSE_JSON(JSON_VALUE(c, '$.new'))",
    "next_number": "1",
    "old": "PARSE_JSON(JSON_VALUE(c, '$.old'))",
    "order": "\nORDER BY `a`",
    "partition": "DATE(a)",
    "positions": "SELECT '' AS landed_key, 0 AS position",
    "rows": "SELECT '' AS row_key, '' AS row_user, 0 AS row_month, '' AS row_phase",
    "values": "1 AS `a`",
    "within": " AND t.created_at >= @since AND t.created_at < @until",
}
"""What stands for the parts that are no names; any other part is replaced by its own name."""
MADE_FOR_A_TABLE = {"upsert", "judge", "verdicts", "next_number"}


def parts(name: str) -> dict[str, str]:
    """Return something for each part of a statement."""
    text = SQL_DIRECTORY.joinpath("statements", f"{name}.sql").read_text(encoding="utf-8")
    return {part: PARTS.get(part, part) for part in Template(text).get_identifiers()}


@pytest.mark.slow
def test_bigquerys_parser_accepts_every_statement() -> None:
    made = {f"{table.name} upsert": upsert_script(table, "staging_x") for table in STORED}
    made |= {f"{table.name} judge": judge_query(table, "staging_x") for table in STORED}
    names = {path.stem for path in SQL_DIRECTORY.joinpath("statements").glob("*.sql")} - MADE_FOR_A_TABLE
    assert len(names) > 20
    made |= {name: statement(name, **parts(name)) for name in names}
    refused = {name: refusal(text) for name, text in made.items()}
    assert {name: reason for name, reason in refused.items() if reason is not None} == {}
