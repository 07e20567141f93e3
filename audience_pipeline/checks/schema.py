"""Whether every stored row is what the declaration says: types, nulls, values, formats, JSON shapes."""

from typing import Any

from audience_pipeline.checks.context import Subject
from audience_pipeline.checks.outcome import Outcome, counted
from audience_pipeline.tables import Table


def schema(subject: Subject) -> Outcome:
    """Every row has the declared columns, types, values, formats and JSON shapes (pandera)."""
    from pandera.errors import SchemaErrors  # noqa: PLC0415 - pandera costs what Dagster costs: only runs need it

    from audience_pipeline.tables.pandera import pandera_schema  # noqa: PLC0415 - the same

    rows = subject.rows
    try:
        pandera_schema(subject.table).validate(rows, lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases.to_dicts()
    else:
        cases = []
    keys = rows[subject.table.key]
    failures = [_failure(subject.table, case, keys) for case in cases]
    failed = len({case["index"] for case in cases})
    return counted("break the declaration", len(rows), failed, failures)


def _failure(table: Table, case: dict[str, Any], keys: Any) -> dict[str, object]:  # noqa: ANN401 - a polars series
    """Name the row and what it should have been; a secret's text, sealed or not, is never repeated."""
    index, name = case["index"], case["column"]
    secret = name in table.by_name and table.by_name[name].secret
    return {
        table.key: None if index is None else keys[index],
        "column": name,
        "found": "not shown" if secret else case["failure_case"],
        "expected": "a value" if case["check"] == "not_nullable" else case["check"],
    }
