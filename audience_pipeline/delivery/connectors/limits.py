"""Rate limits: how long a call to a platform has to wait.

Belongs here: counting calls against a rate. Does not belong here: waiting, which is the caller's, who may do other
things meanwhile. The limits are of one process; several of them share a platform's limit by what it answers.
"""

import threading
import time
from collections.abc import Callable

from audience_pipeline.delivery.connectors.contract import Limits


class TokenBucket:
    """Lets calls through at a rate, after a burst of a second's worth; threads are served in the order they ask."""

    def __init__(self, per_second: float | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Count ``per_second`` calls (None is any number) by ``clock``, which tells seconds and never goes back."""
        self._per_second, self._clock = per_second, clock
        self._capacity = max(per_second or 1.0, 1.0)
        self._at = self._paused_until = clock()
        self._tokens = self._capacity
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Take the next place, and return how many seconds are left until its turn."""
        with self._lock:
            now = self._clock()
            paused = max(self._paused_until - now, 0.0)
            return paused if self._per_second is None else max(paused, self._turn(now, self._per_second))

    def pause(self, seconds: float) -> None:
        """Let nobody through for a while: the platform asked for it."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)

    def _turn(self, now: float, per_second: float) -> float:
        self._tokens = min(self._capacity, self._tokens + (now - self._at) * per_second) - 1
        self._at = now
        return -self._tokens / per_second


class RateLimits:
    """A bucket for each platform: platforms limit by account, and an account is a platform of ours."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}
        self._lock = threading.Lock()

    def bucket(self, platform_id: str, limits: Limits) -> TokenBucket:
        """Return the bucket of a platform, made by its limits the first time."""
        with self._lock:
            if platform_id not in self._buckets:
                self._buckets[platform_id] = TokenBucket(limits.requests_per_second, clock=self._clock)
            return self._buckets[platform_id]
