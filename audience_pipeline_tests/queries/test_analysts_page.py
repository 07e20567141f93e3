"""The analysts' page: what stands in it runs, on tables that have rows."""

import re
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from audience_pipeline.queries.catalog import write_catalog
from audience_pipeline.storage.parquet.store import ParquetStore
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS
from audience_pipeline.tables.arrow import arrow_schema

PAGE = (Path(__file__).parents[2] / "docs" / "analysts.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ON_FILES, ON_BIGQUERY = PAGE.split("\n## In BigQuery\n")
BLOCKS = _BLOCK.findall(ON_FILES)


def statements(part: str) -> list[str]:
    """Return the statements of a part of the page."""
    texts = [text for kind, text in _BLOCK.findall(part) if kind == "sql"]
    return [statement.strip() for text in texts for statement in text.split(";") if statement.strip()]


SQL = statements(ON_FILES)
# Spark needs a Java machine, which the tests do not.
PYTHON = [text for kind, text in BLOCKS if kind == "python" and "spark." not in text]
EXPECTED = {"sizes": 2, "segments": 8, "active": 4, "distributions": 4, "platforms": 3}
MAY_BE_EMPTY = "status = 'failed'"


@pytest.mark.parametrize("statement", SQL, ids=lambda statement: statement.splitlines()[0][:40])
def test_a_statement_of_the_page_finds_rows(store: ParquetStore, statement: str) -> None:
    with duckdb.connect(write_catalog(store.root), read_only=True) as catalog:
        found = catalog.sql(statement).fetchall()
    assert found or MAY_BE_EMPTY in statement


@pytest.mark.parametrize("program", PYTHON, ids=lambda program: program.splitlines()[0])
def test_a_program_of_the_page_reads_every_row(
    store: ParquetStore, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_catalog(store.root)
    monkeypatch.chdir(store.root.parent)
    names: dict[str, object] = {}
    exec(program, names)  # noqa: S102 - the page's own text
    (expected,) = EXPECTED.keys() & names.keys()
    result = names[expected]
    assert hasattr(result, "shape")
    assert result.shape[0] == EXPECTED[expected]


def test_every_view_is_on_the_page(store: ParquetStore) -> None:
    with duckdb.connect(write_catalog(store.root), read_only=True) as catalog:
        views = catalog.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        macros = catalog.sql("SELECT function_name FROM duckdb_functions() WHERE database_name = 'catalog'").fetchall()
    assert [name for (name,) in views + macros if f"`{name}`" not in PAGE and f"{name}(" not in PAGE] == []


def test_other_tools_see_the_documented_types_and_odd_users(store: ParquetStore) -> None:
    for table in (AUDIENCES, DISTRIBUTIONS):
        read = pq.read_table(store.root / table.name, partitioning=None)
        scanned = pl.read_parquet(store.root / table.name / "**/*.parquet", hive_partitioning=False)
        assert read.schema.remove_metadata() == arrow_schema(table)
        assert (
            sorted(scanned["user_id"].unique())
            == sorted(set(read["user_id"].to_pylist()))
            == ["ben/../x=y%", "user123"]
        )
