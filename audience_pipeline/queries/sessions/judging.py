"""What a tenant's statement may say, decided on its parsed tree.

Belongs here: the rules, and the refusals. Does not belong here: running anything.

DuckDB's own parser makes the tree, so there is no second opinion on what a text means. Everything in it has to be
known: a kind of node, a relation or a function that is not listed is refused. A relation is a view of the session or a
common table expression of the statement; the name of such an expression may be nothing that DuckDB would find
elsewhere, since it counts in a part of the statement only.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import duckdb
import msgspec

from audience_pipeline.errors import UsageError
from audience_pipeline.queries.sessions.vocabulary import FUNCTIONS, TABLE_FUNCTIONS

MAX_CHARACTERS = 100_000
_TREE = "SELECT json_serialize_sql(?, skip_empty := true, skip_null := true, skip_default := true)"
_SYSTEM = "SELECT view_name FROM duckdb_views() UNION SELECT table_name FROM duckdb_tables()"
_EXPLAIN = re.compile(r"\s*EXPLAIN\b(?!\s*\()", re.IGNORECASE)
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EXPRESSIONS = frozenset(
    [
        "BETWEEN",
        "CASE",
        "CAST",
        "COLLATE",
        "COLUMN_REF",
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "FUNCTION",
        "LAMBDA",
        "OPERATOR",
        "POSITIONAL_REFERENCE",
        "STAR",
        "SUBQUERY",
        "TYPE",
        "WINDOW",
    ]
)
_NODES = frozenset(
    [
        "ASCENDING",
        "BASE_TABLE",
        "CTE_NODE",
        "DESCENDING",
        "DISTINCT_MODIFIER",
        "EMPTY",
        "EXPRESSION_LIST",
        "JOIN",
        "LIMIT_MODIFIER",
        "LIMIT_PERCENT_MODIFIER",
        "ORDER_DEFAULT",
        "ORDER_MODIFIER",
        "PIVOT",
        "RECURSIVE_CTE_NODE",
        "SELECT_NODE",
        "SET_OPERATION_NODE",
        "SHOW_REF",
        "SUBQUERY",
        "TABLE_FUNCTION",
    ]
)
_RELATION, _TABLE_FUNCTION = "BASE_TABLE", "TABLE_FUNCTION"
_VALUES = frozenset({"literal", "sample_size"})
_STATEMENT = "statement"
_EXPECTED = "one SELECT, DESCRIBE or EXPLAIN of the session's views"


def judged(connection: duckdb.DuckDBPyConnection, statement: str, views: frozenset[str]) -> tuple[str, frozenset[str]]:
    """Return the statement as it may be run, and which of ``views`` it names.

    Raises:
        UsageError: it is not one statement that reads, or names what is none of the views and listed functions.
    """
    if len(statement) > MAX_CHARACTERS:
        raise refusal(found=f"{len(statement):,} characters", expected=f"{MAX_CHARACTERS:,} at most")
    prefix = _EXPLAIN.match(statement)
    explained = statement[prefix.end() :] if prefix else statement
    found = _parsed(connection, explained)
    if len(found) != 1:
        raise refusal(found=f"{len(found)} statements")
    return f"EXPLAIN {explained}" if prefix else explained, _judge(found[0], views)


def refusal(*, found: str, expected: str = _EXPECTED, remedy: str = "Correct it; nothing was run.") -> UsageError:
    """Return the error for a statement that is not run."""
    return UsageError(_STATEMENT, found=found, expected=expected, remedy=remedy)


def _parsed(connection: duckdb.DuckDBPyConnection, text: str) -> list[Any]:
    try:
        ((tree,),) = connection.execute(_TREE, [text]).fetchall()
        found = msgspec.json.decode(tree)
    except (duckdb.Error, msgspec.DecodeError, RecursionError) as error:
        raise refusal(found="a text that cannot be parsed") from error
    if not found["error"]:
        return list(found["statements"])
    if found["error_type"] == "parser":
        raise refusal(found=found["error_message"], expected="a statement DuckDB can parse")
    raise refusal(found="something else than a SELECT")


def _judge(tree: Any, views: frozenset[str]) -> frozenset[str]:  # noqa: ANN401 - JSON
    nodes = list(_nodes(tree))
    expressions = {name for node in nodes for name in _expressions_of(node)}
    for name in expressions:
        _judge_name(name, views)
    known = views | {name.lower() for name in expressions}
    for node in nodes:
        _judge_node(node, known, views)
    relations = (node["qualified_name"]["path"][0].lower() for node in nodes if node.get("type") == _RELATION)
    return views.intersection(relations)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Yield every object of a tree but values, and a table function as one, which is not judged as other functions."""
    rest = [tree]
    while rest:
        node = rest.pop()
        if isinstance(node, list):
            rest.extend(node)
        elif isinstance(node, dict):
            yield node
            inside = {**node, **node["function"], "function": None} if node.get("type") == _TABLE_FUNCTION else node
            rest.extend(value for name, value in inside.items() if name not in _VALUES)


def _expressions_of(node: dict[str, Any]) -> list[str]:
    """Return the names of the common table expressions that a node defines."""
    named = node.get("cte_map", {}).get("map", [])
    recursive = [node["cte_name"]] if "cte_name" in node else []
    return [*(each["key"] for each in named), *recursive]


def _judge_name(name: str, views: frozenset[str]) -> None:
    if _PLAIN.fullmatch(name) is None or name.lower() in _system_relations() - views:
        raise refusal(found=f"WITH {name}", expected="letters, digits and underscores, and no name DuckDB has")


@cache
def _system_relations() -> frozenset[str]:
    with duckdb.connect() as connection:
        return frozenset(name.lower() for (name,) in connection.execute(_SYSTEM).fetchall())


def _judge_node(node: dict[str, Any], relations: frozenset[str], views: frozenset[str]) -> None:
    kind, which = node.get("class"), node.get("type")
    if isinstance(which, str) and (kind not in _EXPRESSIONS if kind else which not in _NODES):
        raise refusal(found=f"{kind or which}")
    if which == _RELATION:
        _judge_relation(node, relations, views)
    elif which == "SHOW_REF":
        _judge_show(node)
    elif which == _TABLE_FUNCTION:
        _judge_function(node["function"], TABLE_FUNCTIONS)
    elif kind in {"FUNCTION", "WINDOW"}:
        _judge_function(node, FUNCTIONS)


def _judge_relation(node: dict[str, Any], relations: frozenset[str], views: frozenset[str]) -> None:
    path = node["qualified_name"]["path"]
    if len(path) != 1 or path[0].lower() not in relations or "at_clause" in node:
        raise refusal(found=".".join(path), expected=f"one of {', '.join(sorted(views))}")


def _judge_show(node: dict[str, Any]) -> None:
    if node.get("show_type") != "DESCRIBE" or "query" not in node:
        raise refusal(found=str(node.get("show_type")))


def _judge_function(node: dict[str, Any], listed: frozenset[str]) -> None:
    path = node["qualified_name"]["path"]
    if len(path) != 1 or path[0].lower() not in listed:
        raise refusal(found=f"the function {'.'.join(path)}", expected="one of those in docs/session-functions.md")
