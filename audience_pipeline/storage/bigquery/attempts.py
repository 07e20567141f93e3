"""Transactions that another writer overtook are run again.

Belongs here: how often, and how long to wait. Does not belong here: what runs. BigQuery does not make one transaction
wait for another that changes the same table: it cancels one of the two, which has then changed nothing.
"""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from audience_pipeline.errors import ConflictError

_ATTEMPTS = 30
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 10.0
Done = TypeVar("Done")


def until_not_overtaken(run: Callable[[int], Done]) -> Done:
    """Return what ``run`` does with the number of the attempt, repeated while other writers overtake it.

    Raises:
        ConflictError: they did so each time.
    """
    for attempt in range(_ATTEMPTS - 1):
        try:
            return run(attempt)
        except ConflictError:
            longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**attempt)
            time.sleep(random.uniform(longest / 4, longest))  # noqa: S311 - spreads writers, hides nothing
    return run(_ATTEMPTS - 1)
