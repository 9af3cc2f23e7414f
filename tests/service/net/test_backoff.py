from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from service.net.backoff import exponential_delay, parse_retry_after


def test_a_pause_grows_up_to_the_longest_and_no_two_are_alike() -> None:
    found = [exponential_delay(times, 1.0, 60.0) for times in range(1, 2000)]
    assert 0.5 <= found[0] <= 1
    assert 8 <= found[4] <= 16
    assert all(30 <= each <= 60 for each in found[6:])
    assert len(set(found)) == len(found)


def test_retry_after_is_read_as_seconds_and_as_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert parse_retry_after("2.5") == 2.5
    assert 50 < parse_retry_after(later) <= 60


@pytest.mark.parametrize("told", ["", "soon", "-3", "nan", "inf", "Mon, 01 Jan 1990 00:00:00 GMT"])
def test_what_asks_for_no_wait_is_none(told: str) -> None:
    assert parse_retry_after(told) == 0
