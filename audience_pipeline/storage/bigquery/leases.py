"""Leases: mutual exclusion between machines, by rows that expire.

Belongs here: taking, renewing and releasing them. Does not belong here: what they protect. A holder renews its leases
while it lives, so a lease outlives a killed one by its length and no more. They order writers; that no key is written
twice does not rest on them.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import uuid4

from audience_pipeline.errors import ConflictError, PipelineError
from audience_pipeline.storage.bigquery.attempts import until_not_overtaken
from audience_pipeline.storage.bigquery.client import Result, Warehouse
from audience_pipeline.storage.bigquery.statements import statement
from audience_pipeline.tables import LEASES

_LOG = logging.getLogger(__name__)
_SECONDS = 120
_PAUSE_SECONDS = 1.0
_TOLD_EVERY = 60


@contextmanager
def held(warehouse: Warehouse, names: Sequence[str], *, seconds: int = _SECONDS) -> Iterator[None]:
    """Hold ``names`` for the time of a block, all or none; waits for whoever holds one of them.

    ``seconds`` is how long others wait for a holder that died.

    Raises:
        ConflictError: at the end of the block, where the leases ran out meanwhile: others may have held them, too.
    """
    if not names:
        yield
        return
    lease = _Lease(warehouse, names, seconds)
    lease.take()
    try:
        with lease.renewing():
            yield
    finally:
        kept = lease.release()
    if not kept:
        raise ConflictError(
            object=f"lease {', '.join(names)}",
            found="one that ran out while it was held",
            expected=f"to renew it every {seconds // 3} seconds",
            remedy="Run again; check that this machine was not suspended and reaches BigQuery.",
        )


class _Lease:
    def __init__(self, warehouse: Warehouse, names: Sequence[str], seconds: int) -> None:
        self._warehouse = warehouse
        self._names = sorted(set(names))
        self._seconds = seconds
        self._holder = uuid4().hex

    def take(self) -> None:
        """Take all names; try again while somebody else holds one."""
        tries = 0
        while taken := until_not_overtaken(lambda _: self._try()):
            if tries % _TOLD_EVERY == 0:
                _LOG.info("Waiting for %s, held until %s.", taken[0]["name"], taken[0]["expires_at"])
            tries += 1
            time.sleep(_PAUSE_SECONDS)

    def _try(self) -> list[dict[str, object]]:
        parameters = {"names": self._names, "holder": self._holder, "seconds": self._seconds}
        text = statement("lease", leases=LEASES.name)
        found: list[dict[str, object]] = self._run(text, parameters).arrow().to_pylist()
        return found

    @contextmanager
    def renewing(self) -> Iterator[None]:
        """Renew in a thread for the time of a block."""
        done = threading.Event()
        thread = threading.Thread(target=self._renew_until, args=(done,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _renew_until(self, done: threading.Event) -> None:
        text = statement("renew", leases=LEASES.name)
        parameters = {"names": self._names, "holder": self._holder, "seconds": self._seconds}
        while not done.wait(self._seconds / 3):
            try:
                until_not_overtaken(lambda _: self._run(text, parameters))
            except PipelineError as error:
                _LOG.warning("A lease could not be renewed, and is tried again: %s", error)

    def release(self) -> bool:
        """Give the names back; return whether all were still held."""
        text = statement("release", leases=LEASES.name)
        parameters = {"names": self._names, "holder": self._holder}
        return until_not_overtaken(lambda _: self._run(text, parameters).affected) == len(self._names)

    def _run(self, text: str, parameters: Mapping[str, object]) -> Result:
        return self._warehouse.run(text, parameters, object=f"table {LEASES.name}", operation="lease")
