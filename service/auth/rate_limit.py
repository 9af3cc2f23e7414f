"""Rate limits per API key, counted in the broker's Redis so that all API processes share one count.

If Redis does not answer, or the broker is not Redis, each process counts alone: a limit that is too generous for a
while is better than an unavailable service.
"""

import logging
import time
from dataclasses import dataclass, field

from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

WINDOW_SECONDS = 60
FALLBACK_SECONDS = 10.0
TIMEOUT_SECONDS = 0.5

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Allowance:
    """How many of the `limit` requests per window a key has left, and the `seconds` until the number grows."""

    limit: int
    remaining: int
    seconds: int
    is_exceeded: bool = False


@dataclass
class RateLimiter:
    """Limits the requests per minute and key in a sliding window. A `limit` of 0 means no limit."""

    limit: int
    shared: SlidingWindowCounterRateLimiter | None = None
    own: SlidingWindowCounterRateLimiter = field(
        default_factory=lambda: SlidingWindowCounterRateLimiter(MemoryStorage())
    )
    _fallback_until: float = 0.0

    @classmethod
    def for_broker(cls, limit: int, broker_url: str) -> "RateLimiter":
        """Create a limiter that counts in the broker if the broker is Redis, otherwise in this process."""
        if not broker_url.startswith(("redis://", "rediss://")):
            return cls(limit)
        storage = RedisStorage(
            broker_url,
            key_prefix="salience.rates",
            wrap_exceptions=True,
            socket_connect_timeout=TIMEOUT_SECONDS,
            socket_timeout=TIMEOUT_SECONDS,
        )
        return cls(limit, SlidingWindowCounterRateLimiter(storage))

    def spend(self, prefix: str) -> Allowance:
        """Count one request of the key with this prefix."""
        if self.shared is not None and time.monotonic() >= self._fallback_until:
            try:
                return self._spend(self.shared, prefix)
            except StorageError as error:
                self._fallback_until = time.monotonic() + FALLBACK_SECONDS
                log.warning("Redis does not answer; this process counts requests alone for a while: %s", error)
        return self._spend(self.own, prefix)

    def _spend(self, limiter: SlidingWindowCounterRateLimiter, prefix: str) -> Allowance:
        limit = RateLimitItemPerMinute(self.limit)
        is_allowed = limiter.hit(limit, prefix)
        stats = limiter.get_window_stats(limit, prefix)
        seconds = min(WINDOW_SECONDS, max(1, round(stats.reset_time - time.time() + 0.5)))
        return Allowance(self.limit, max(0, stats.remaining), seconds, is_exceeded=not is_allowed)
