"""Values as query parameters: the only way a value gets into a statement.

Belongs here: which type of parameter a value becomes. Does not belong here: which values a statement takes.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from audience_pipeline.errors import UsageError

if TYPE_CHECKING:
    from google.cloud import bigquery

    Parameter: TypeAlias = bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter

_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "BOOL"),
    (int, "INT64"),
    (float, "FLOAT64"),
    (str, "STRING"),
    (bytes, "BYTES"),
    (datetime, "TIMESTAMP"),
    (dict, "JSON"),
)
"""A Python type and its BigQuery type; the first that fits (a boolean is an integer as well)."""


def query_parameters(values: Mapping[str, Any]) -> "list[Parameter]":
    """Return named parameters of values.

    A list becomes an array of its first element's type, an empty one of texts; None is a null text. Where that is not
    what the statement needs, the value may be a parameter of Google's library, which is taken as it is.

    Raises:
        UsageError: a value has none of the types there are parameters of.
    """
    return [_parameter(name, value) for name, value in values.items()]


def _parameter(name: str, value: Any) -> "Parameter":  # noqa: ANN401 - any value a statement may take
    from google.cloud import bigquery

    if isinstance(value, bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter):
        return value
    if isinstance(value, list | tuple):
        return bigquery.ArrayQueryParameter(name, _type(name, value[0] if value else ""), list(value))
    return bigquery.ScalarQueryParameter(name, _type(name, "" if value is None else value), value)


def _type(name: str, value: Any) -> str:  # noqa: ANN401 - the same
    for known, type_name in _TYPES:
        if isinstance(value, known):
            return type_name
    raise UsageError(
        object=f"parameter @{name}",
        found=f"a value of type {type(value).__name__}",
        expected=", ".join(known.__name__ for known, _ in _TYPES),
        remedy="Convert the value, or pass a parameter of google.cloud.bigquery.",
    )
