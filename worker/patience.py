"""Trying again what a database that is away for a moment has broken off: with pauses that grow, a bounded time."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from service.errors import DatabaseAway

SECONDS = 120.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0

Found = TypeVar("Found")
log = logging.getLogger(__name__)


def patiently(call: Callable[[], Found], seconds: float = SECONDS) -> Found:
    """What the call gives, once the database answers. Raises DatabaseAway after so many seconds of that alone."""
    end, pause = time.monotonic() + seconds, FIRST_PAUSE
    while True:
        try:
            return call()
        except DatabaseAway:
            if time.monotonic() + pause > end:
                raise
            log.warning("The database is away; trying again")
        time.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(2 * pause, LONGEST_PAUSE)
