"""An engine from the settings, for whoever delivers: the command line, and runs.

Belongs here: putting its parts together. Does not belong here: the parts.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from audience_pipeline.delivery.connectors.registry import Connectors
from audience_pipeline.delivery.engine import Engine
from audience_pipeline.ingest.secrets import configured_keyset
from audience_pipeline.settings import Settings
from audience_pipeline.storage.contract import TableStore


def engine_of(
    settings: Settings, store: TableStore, connectors: Connectors, clock: Callable[[], datetime], actor: str
) -> Engine:
    """Return an engine that works as ``actor`` over connectors that are open."""
    return Engine(store, settings, connectors, partial(configured_keyset, settings), clock, actor)


@contextmanager
def open_engine(settings: Settings, store: TableStore, clock: Callable[[], datetime], actor: str) -> Iterator[Engine]:
    """Yield an engine that works as ``actor``; connections to platforms are closed at the end."""
    with Connectors(settings) as connectors:
        yield engine_of(settings, store, connectors, clock, actor)
