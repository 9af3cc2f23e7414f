"""How often a key may ask: counted in the broker's Redis, so that all API processes count together.

While Redis does not answer, and with another broker, each process counts for itself: a limit that is lax for a while
is better than a service that is away.
"""

import logging
import time
from dataclasses import dataclass, field

from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

SECONDS = 60
FALLBACK_SECONDS = 10.0
ANSWER_SECONDS = 0.5

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Allowance:
    """What a key may still ask: of `limit` requests `remaining`, and in so many `seconds` it is more."""

    limit: int
    remaining: int
    seconds: int
    spent: bool = False


@dataclass
class RateLimiter:
    """So many requests a minute and key, over a sliding window; 0 is any number."""

    limit: int
    shared: SlidingWindowCounterRateLimiter | None = None
    own: SlidingWindowCounterRateLimiter = field(
        default_factory=lambda: SlidingWindowCounterRateLimiter(MemoryStorage())
    )
    _fallback_until: float = 0.0

    @classmethod
    def for_broker(cls, most: int, broker_url: str) -> "RateLimiter":
        """Counted at this broker, where it can count."""
        if not broker_url.startswith(("redis://", "rediss://")):
            return cls(most)
        storage = RedisStorage(
            broker_url,
            key_prefix="salience.rates",
            wrap_exceptions=True,
            socket_connect_timeout=ANSWER_SECONDS,
            socket_timeout=ANSWER_SECONDS,
        )
        return cls(most, SlidingWindowCounterRateLimiter(storage))

    def spend(self, prefix: str) -> Allowance:
        """Count a request of a key."""
        if self.shared is not None and time.monotonic() >= self._fallback_until:
            try:
                return self._spend(self.shared, prefix)
            except StorageError as error:
                self._fallback_until = time.monotonic() + FALLBACK_SECONDS
                log.warning("The broker does not answer; requests are counted by this process alone: %s", error)
        return self._spend(self.own, prefix)

    def _spend(self, limiter: SlidingWindowCounterRateLimiter, prefix: str) -> Allowance:
        limit = RateLimitItemPerMinute(self.limit)
        allowed = limiter.hit(limit, prefix)
        stats = limiter.get_window_stats(limit, prefix)
        seconds = min(SECONDS, max(1, round(stats.reset_time - time.time() + 0.5)))
        return Allowance(self.limit, max(0, stats.remaining), seconds, spent=not allowed)
