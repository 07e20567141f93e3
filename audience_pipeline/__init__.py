"""Audiences, platforms and distributions: landed JSON records become typed, tenant-safe tables and deliveries.

The public Python interface is what `__all__` names, and nothing else is promised between versions. The names resolve
on first use, so importing the package costs nothing: the command line's help and Dagster's code server start without
polars, DuckDB and the rest.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audience_pipeline.queries.sessions import open_session
    from audience_pipeline.storage import open_store

__all__ = ["open_session", "open_store"]

_HOMES = {"open_session": "audience_pipeline.queries.sessions", "open_store": "audience_pipeline.storage"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - each name has its own type, stated above for type checkers
    """Import a public name from its module the first time it is asked for."""
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}"
        raise AttributeError(message)
    return getattr(importlib.import_module(_HOMES[name]), name)
