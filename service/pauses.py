"""How long to wait before trying again."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def growing(times: int, first: float, longest: float, factor: float = 2.0) -> float:
    """Seconds after so many failures: `factor` times as long each time, and up to half of it less by chance.

    The chance parts those who met one trouble.
    """
    return min(longest, first * factor ** min(times - 1, 50)) * random.uniform(0.5, 1.0)


def retry_after(told: str) -> float:
    """Seconds that a Retry-After header asks for, written as a number or a date; 0 where it asks for none."""
    try:
        seconds = float(told)
    except ValueError:
        return _until(told)
    return seconds if 0 <= seconds < float("inf") else 0.0


def _until(date: str) -> float:
    try:
        return max(0.0, (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
