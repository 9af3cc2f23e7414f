"""Delays between retries, and the retry loop for a database that is unavailable."""

import logging
import random
import time
from collections.abc import Callable
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
