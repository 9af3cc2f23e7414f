"""How long to wait before trying again."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def exponential_delay(failures: int, initial: float, maximum: float, factor: float = 2.0) -> float:
    """Seconds after so many failures: `factor` times as long each time, and up to half of it less by chance.

    The chance parts those who met one trouble.
    """
    return min(maximum, initial * factor ** min(failures - 1, 50)) * random.uniform(0.5, 1.0)


def parse_retry_after(header: str) -> float:
    """Seconds that a Retry-After header asks for, written as a number or a date; 0 where it asks for none."""
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
