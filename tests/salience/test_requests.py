"""Tests of the retry policy of both clients, without a service."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from salience.errors import RequestRejected, ServiceBusy, ServiceUnreachable
from salience.requests import FIRST_PAUSE, MAX_PAUSE, RetryPolicy, poll_pause, retry_after

REQUEST = httpx.Request("GET", "http://there/v1/jobs/1")


def response(status: int, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, request=REQUEST)


def test_the_pauses_between_retries_grow_up_to_a_limit() -> None:
    policy = RetryPolicy("http://there", 60, has_answered=True)
    pauses = [policy.pause_after(httpx.ConnectError("unavailable")) or 0.0 for _ in range(12)]
    assert FIRST_PAUSE / 2 <= pauses[0] <= FIRST_PAUSE
    assert MAX_PAUSE / 2 <= pauses[-1] <= MAX_PAUSE
    assert len(set(pauses)) == len(pauses), "jitter separates clients that wait at the same time"


def test_a_service_that_never_answers_or_stays_unavailable_raises_unreachable() -> None:
    with pytest.raises(ServiceUnreachable):
        RetryPolicy("http://there", 60, has_answered=False).pause_after(httpx.ConnectError("unavailable"))
    with pytest.raises(ServiceUnreachable):
        RetryPolicy("http://there", 60, has_answered=True, start=time.monotonic() - 61).pause_after(
            httpx.ConnectError("unavailable")
        )


@pytest.mark.parametrize("status", [429, 503])
def test_the_client_retries_no_earlier_than_the_retry_after_header_says(status: int) -> None:
    assert (RetryPolicy("http://there", 60, has_answered=True).pause_after(response(status, Retry_After="7")) or 0) >= 7
    with pytest.raises(ServiceBusy):
        RetryPolicy("http://there", 60, has_answered=True).pause_after(response(status, Retry_After="3600"))


def test_the_retry_policy_accepts_a_response_and_raises_an_error_response() -> None:
    policy = RetryPolicy("http://there", 60, has_answered=False)
    assert policy.pause_after(response(200)) is None
    assert policy.has_answered
    with pytest.raises(RequestRejected, match="answered 418"):
        policy.pause_after(response(418))
    with pytest.raises(RequestRejected, match="answered 301"):
        policy.pause_after(response(301, Location="https://there"))


def test_the_client_pauses_after_a_poll_that_returns_at_once() -> None:
    quick, held = response(304, Retry_After="2"), response(304, Retry_After="2")
    quick.elapsed, held.elapsed = timedelta(seconds=0.1), timedelta(seconds=30)
    assert (poll_pause(quick), poll_pause(held)) == (2, 0)


def test_a_retry_after_header_is_a_number_of_seconds_or_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert retry_after("2.5") == 2.5
    assert 50 < retry_after(later) <= 60


@pytest.mark.parametrize("header", ["", "soon", "-3", "nan", "inf", "Mon, 01 Jan 1990 00:00:00 GMT"])
def test_an_invalid_retry_after_header_counts_as_zero_seconds(header: str) -> None:
    assert retry_after(header) == 0
