"""What the code may not do: build SQL from values, load objects from bytes, run what a text says."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "audience_pipeline"
TREES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")
}
SQL = re.compile(
    r"\b(SELECT|INSERT|UPDATE|DELETE|MERGE|CREATE|ATTACH|COPY|PRAGMA|DROP|ALTER|FROM|WHERE|SET|USING|VALUES)\b"
)
REVIEWED = {
    "cli/demo_ending.py": {"_COMMANDS"},
    "ingest/quarantine.py": {"_COLUMNS", "name"},
    "queries/catalog.py": {"VARIABLE", "quoted(os.devnull)"},
    "queries/macros.py": {"', '.join(_arguments(pattern))", "name", "pattern.table.name", "relation", "text"},
    "queries/sessions/connection.py": {
        "', '.join(map(quoted, allowed))",
        "TENANT",
        "VARIABLE",
        "quoted(memory)",
        "quoted(place)",
        "quoted(root)",
        "quoted(self._tenant)",
    },
    "queries/statements.py": {"allowed"},
    "queries/warehouse.py": {
        "columns",
        "dataset",
        "live",
        "narrowed",
        "pattern.table.name",
        "self._statement(pattern, [archive])",
        "table.key",
        "table.name",
        "within(table, 'stored')",
    },
    "sandbox/state.py": {"', '.join('?' * len(fields(Stored)))", "_BY_KEY", "_COLUMNS", "_SELECT", "where"},
    "storage/bigquery/drift.py": {"DATASET", "alter", "column.name", "table.name"},
    "storage/bigquery/verify.py": {"each.key", "table.name"},
    "storage/parquet/agenda.py": {"_COLUMNS", "moment"},
    "storage/parquet/database.py": {"_CACHE_KIB", "_CHECKPOINT_PAGES"},
    "storage/parquet/reading.py": {"_names(columns)", "conditions", "' AND '.join(parts)"},
    "tables/bigquery.py": {
        "ALL_DISTRIBUTIONS",
        "DATASET",
        "DISTRIBUTIONS.name",
        "TENANT_PRINCIPALS.name",
        "VIEWS",
        "_TENANT",
        "_select([*names, 'archived_at'], DISTRIBUTIONS_ARCHIVE)",
        "columns",
        "copies",
        "documented",
        "events.name",
        "key",
        "name",
        "names",
        "pipeline",
        "quoted(doc)",
        "select",
        "table.name",
    },
    "tables/duckdb.py": {
        "archive",
        "carried",
        "columns",
        "joined",
        "key",
        "live",
        "members[0]",
        "name",
        "names",
        "path",
        "select",
        "typed",
        "view.source",
    },
}
"""What each module puts into SQL text, looked at by hand: declared names, fixed parts, and texts that are quoted for
statements that take no parameters. Before adding to it, see that no value from outside can be in there."""
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml", "ruamel"}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "compile",
    "os.system",
    "os.popen",
    "pd.read_pickle",
    "pandas.read_pickle",
    "np.load",
}


def made_of(tree: ast.AST) -> Iterator[str]:
    """Yield what is put into texts that look like SQL: by f-strings, concatenation, `%` and `format`."""
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=parts) if _is_sql(*parts):
                yield from (ast.unparse(part.value) for part in parts if isinstance(part, ast.FormattedValue))
            case ast.BinOp(left=left, op=ast.Add() | ast.Mod(), right=right) if _is_sql(left, right):
                yield from (ast.unparse(side) for side in (left, right) if not isinstance(side, ast.Constant))
            case ast.Call(func=ast.Attribute(value=text, attr="format"), args=values) if _is_sql(text):
                yield from map(ast.unparse, values)


def _is_sql(*parts: ast.expr) -> bool:
    return any(isinstance(each, ast.Constant) and SQL.search(str(each.value)) for each in parts)


def dangers(tree: ast.AST) -> Iterator[str]:
    """Yield imports and calls by which bytes or texts become objects or commands."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names if name.name.split(".")[0] in FORBIDDEN_MODULES)
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in FORBIDDEN_MODULES:
                yield module
            case ast.Call(func=called, keywords=options):
                name = ast.unparse(called)
                if name in FORBIDDEN_CALLS or any(each.arg == "shell" for each in options):
                    yield name


def test_what_becomes_part_of_a_statement_is_what_was_reviewed() -> None:
    found = {name: parts for name, tree in TREES.items() if (parts := set(made_of(tree)))}
    assert found == REVIEWED


def test_no_bytes_become_objects_and_no_text_is_run() -> None:
    assert {name: found for name, tree in TREES.items() if (found := list(dangers(tree)))} == {}


@pytest.mark.parametrize(
    "code",
    [
        "f'SELECT * FROM t WHERE user_id = {user}'",
        "'DELETE FROM t WHERE key = ' + key",
        "'SELECT * FROM t WHERE key = %s' % key",
        "'SELECT * FROM {}'.format(path)",
    ],
)
def test_a_statement_built_from_a_value_would_be_seen(code: str) -> None:
    assert list(made_of(ast.parse(code))) != []


@pytest.mark.parametrize(
    "code",
    ["import pickle", "from yaml import load", "eval(text)", "subprocess.run(text, shell=True)", "os.system(text)"],
)
def test_a_danger_would_be_seen(code: str) -> None:
    assert list(dangers(ast.parse(code))) != []
