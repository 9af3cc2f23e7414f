"""Trying again what a database that is away for a moment has broken off: with pauses that grow, a bounded time."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from service.errors import DatabaseUnavailable

MAX_SECONDS = 120.0
FIRST_PAUSE, MAX_PAUSE = 0.1, 5.0

Result = TypeVar("Result")
log = logging.getLogger(__name__)


def retry_while_unavailable(call: Callable[[], Result], seconds: float = MAX_SECONDS) -> Result:
    """What the call gives, once the database answers. Raises DatabaseUnavailable after so many seconds."""
    end, pause = time.monotonic() + seconds, FIRST_PAUSE
    while True:
        try:
            return call()
        except DatabaseUnavailable:
            if time.monotonic() + pause > end:
                raise
            log.warning("The database is away; trying again")
        time.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(2 * pause, MAX_PAUSE)
