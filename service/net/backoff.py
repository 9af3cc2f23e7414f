"""Delays between retries, and the retry loop for a database that is unavailable."""

import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from service.errors import DatabaseUnavailable

MAX_RETRY_SECONDS = 120.0
INITIAL_DELAY, MAX_DELAY = 0.1, 5.0

Result = TypeVar("Result")
log = logging.getLogger(__name__)


def exponential_delay(failures: int, initial: float, maximum: float, factor: float = 2.0) -> float:
    """Return the delay in seconds after this many failures: `initial`, then `factor` times longer after each failure.

    A random part of up to a half is subtracted, so that clients that failed together do not retry together.
    """
    return min(maximum, initial * factor ** min(failures - 1, 50)) * random.uniform(0.5, 1.0)


def retry_while_unavailable(call: Callable[[], Result], seconds: float = MAX_RETRY_SECONDS) -> Result:
    """Call a function until the database is available. Raises DatabaseUnavailable after `seconds`."""
    end, failures = time.monotonic() + seconds, 0
    while True:
        try:
            return call()
        except DatabaseUnavailable:
            failures += 1
            delay = exponential_delay(failures, INITIAL_DELAY, MAX_DELAY)
            if time.monotonic() + delay > end:
                raise
            log.warning("The database is unavailable; retrying in %.1f s", delay)
        time.sleep(delay)


def parse_retry_after(header: str) -> float:
    """Return the seconds that a Retry-After header states, as a number or a date; 0 if it is missing or invalid."""
    try:
        seconds = float(header)
    except ValueError:
        return _seconds_until(header)
    return seconds if 0 <= seconds < float("inf") else 0.0


def _seconds_until(date: str) -> float:
    try:
        return max(0.0, (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
