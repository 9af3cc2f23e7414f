"""The patience of both clients, without a service."""

import time
from datetime import timedelta

import httpx
import pytest

from salience.errors import RequestRejected, ServiceBusy, ServiceUnreachable
from salience.requests import FIRST_PAUSE, MAX_PAUSE, RetryPolicy, poll_pause

REQUEST = httpx.Request("GET", "http://there/v1/jobs/1")


def answer(status: int, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, request=REQUEST)


def test_who_was_met_is_waited_for_longer_each_time_up_to_a_limit() -> None:
    patience = RetryPolicy("http://there", 60, has_answered=True)
    rests = [patience.pause_after(httpx.ConnectError("away")) or 0.0 for _ in range(12)]
    assert FIRST_PAUSE / 2 <= rests[0] <= FIRST_PAUSE
    assert MAX_PAUSE / 2 <= rests[-1] <= MAX_PAUSE
    assert len(set(rests)) == len(rests), "jitter parts those who wait together"


def test_who_was_never_met_or_is_away_for_too_long_is_given_up() -> None:
    with pytest.raises(ServiceUnreachable):
        RetryPolicy("http://there", 60, has_answered=False).pause_after(httpx.ConnectError("away"))
    with pytest.raises(ServiceUnreachable):
        RetryPolicy("http://there", 60, has_answered=True, start=time.monotonic() - 61).pause_after(
            httpx.ConnectError("away")
        )


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again_no_sooner_than_it_says(status: int) -> None:
    assert (RetryPolicy("http://there", 60, has_answered=True).pause_after(answer(status, Retry_After="7")) or 0) >= 7
    with pytest.raises(ServiceBusy):
        RetryPolicy("http://there", 60, has_answered=True).pause_after(answer(status, Retry_After="3600"))


def test_an_answer_counts_and_a_refusal_is_raised() -> None:
    patience = RetryPolicy("http://there", 60, has_answered=False)
    assert patience.pause_after(answer(200)) is None
    assert patience.has_answered
    with pytest.raises(RequestRejected, match="answered 418"):
        patience.pause_after(answer(418))
    with pytest.raises(RequestRejected, match="answered 301"):
        patience.pause_after(answer(301, Location="https://there"))


def test_an_unchanged_job_that_came_at_once_is_not_asked_for_at_once() -> None:
    quick, held = answer(304, Retry_After="2"), answer(304, Retry_After="2")
    quick.elapsed, held.elapsed = timedelta(seconds=0.1), timedelta(seconds=30)
    assert (poll_pause(quick), poll_pause(held)) == (2, 0)
