"""The BigQuery files: the documented statements to the letter, and text that BigQuery's own parser accepts."""

from pathlib import Path

import pytest

from audience_pipeline.queries import PATTERNS, AccessPattern
from audience_pipeline.queries.warehouse import statement
from audience_pipeline.sqlfiles import read_sql
from audience_pipeline.tables import TABLES

SQL = Path(__file__).parent.parent.parent / "sql"
DOCUMENTED = {
    "audiences": """\
CREATE TABLE `project.dataset.audiences` (
  audience_id STRING NOT NULL,
  user_id STRING NOT NULL,
  name STRING NOT NULL,
  description STRING,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  status STRING NOT NULL,
  data_type STRING NOT NULL,
  original_query STRING,
  selected_variables ARRAY<STRING>,
  variable_details JSON,
  segments JSON,
  total_audience_size INT64,
  metadata JSON,
  PRIMARY KEY (audience_id) NOT ENFORCED
)
PARTITION BY DATE(created_at)
CLUSTER BY user_id, status;
""",
    "platforms": """\
CREATE TABLE `project.dataset.platforms` (
  platform_id STRING NOT NULL,
  user_id STRING NOT NULL,
  platform_type STRING NOT NULL,
  name STRING NOT NULL,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  status STRING NOT NULL,
  credentials JSON,  -- Encrypted
  settings JSON,
  last_sync TIMESTAMP,
  sync_status STRING,
  PRIMARY KEY (platform_id) NOT ENFORCED
)
CLUSTER BY user_id, platform_type;
""",
    "distributions": """\
CREATE TABLE `project.dataset.distributions` (
  distribution_id STRING NOT NULL,
  user_id STRING NOT NULL,
  audience_id STRING NOT NULL,
  platform_id STRING NOT NULL,
  created_at TIMESTAMP NOT NULL,
  scheduled_at TIMESTAMP,
  executed_at TIMESTAMP,
  status STRING NOT NULL,
  distribution_type STRING,
  segments_distributed ARRAY<STRING>,
  match_results JSON,
  error_details JSON,
  metadata JSON,
  PRIMARY KEY (distribution_id) NOT ENFORCED
)
PARTITION BY DATE(created_at)
CLUSTER BY user_id, audience_id, status;
""",
}
"""As the requirement has them."""

BROKEN = (
    "CREATE TABLE t (a STRING NOT NUL)",
    "CREATE ROW ACCESS POLICY p ON t FILTER USING TRUE",
    "GRANT `roles/bigquery.dataViewer` ON SCHEMA s TOO 'user:a@b.example'",
    "MERGE t USING s ON TRUE WHEN MATCHED THEN UPDATE a = 1",
)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_documented_table_is_created_by_the_documented_statement(name: str) -> None:
    statement = read_sql(f"bigquery/tables/{name}.sql").split("make derive.\n", maxsplit=1)[1]
    assert statement == DOCUMENTED[name]


@pytest.mark.slow
def test_bigquerys_parser_accepts_every_file_and_refuses_broken_statements() -> None:
    """One test for all, since loading the parser costs as much as everything else here together."""
    files = sorted(path for place in ("bigquery", "queries/bigquery") for path in (SQL / place).rglob("*.sql"))
    assert len(files) > len(DOCUMENTED) + len(PATTERNS)
    texts = {path.name: path.read_text(encoding="utf-8") for path in files}
    texts |= {name: _composed(pattern) for name, pattern in PATTERNS.items()}
    refused = {name: refusal(text) for name, text in texts.items()}
    assert {name: reason for name, reason in refused.items() if reason is not None} == {}
    assert [statement for statement in BROKEN if refusal(statement) is None] == []


def _composed(pattern: AccessPattern) -> str:
    """Return a pattern's statement as it is run, over the archive, too, where there is one."""
    names = (pattern.table.name, pattern.table.archive)
    return statement("project.dataset", pattern, [TABLES[name] for name in names if name is not None])


def refusal(script: str) -> str | None:
    """Say why BigQuery's parser refuses a script, or None."""
    from zetasql.api import Parser  # noqa: PLC0415 - compiles the parser
    from zetasql.core.exceptions import ServerError  # noqa: PLC0415 - the same

    try:
        Parser.parse_script_static(script)
    except ServerError as error:
        return str(error)
    return None
