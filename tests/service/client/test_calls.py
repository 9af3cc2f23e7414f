"""The patience of both clients, without a service."""

import time
from datetime import timedelta

import httpx
import pytest

from service.client.calls import FIRST_PAUSE, LONGEST_PAUSE, Patience, rest_of
from service.errors import RemoteBusy, RemoteRefused, RemoteUnreachable

REQUEST = httpx.Request("GET", "http://there/v1/jobs/1")


def answer(status: int, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, request=REQUEST)


def test_who_was_met_is_waited_for_longer_each_time_up_to_a_limit() -> None:
    patience = Patience("http://there", 60, met=True)
    rests = [patience.rest(httpx.ConnectError("away")) or 0.0 for _ in range(12)]
    assert FIRST_PAUSE / 2 <= rests[0] <= FIRST_PAUSE
    assert LONGEST_PAUSE / 2 <= rests[-1] <= LONGEST_PAUSE
    assert len(set(rests)) == len(rests), "jitter parts those who wait together"


def test_who_was_never_met_or_is_away_for_too_long_is_given_up() -> None:
    with pytest.raises(RemoteUnreachable):
        Patience("http://there", 60, met=False).rest(httpx.ConnectError("away"))
    with pytest.raises(RemoteUnreachable):
        Patience("http://there", 60, met=True, start=time.monotonic() - 61).rest(httpx.ConnectError("away"))


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again_no_sooner_than_it_says(status: int) -> None:
    assert (Patience("http://there", 60, met=True).rest(answer(status, Retry_After="7")) or 0) >= 7
    with pytest.raises(RemoteBusy):
        Patience("http://there", 60, met=True).rest(answer(status, Retry_After="3600"))


def test_an_answer_counts_and_a_refusal_is_raised() -> None:
    patience = Patience("http://there", 60, met=False)
    assert patience.rest(answer(200)) is None
    assert patience.met
    with pytest.raises(RemoteRefused, match="answered 418"):
        patience.rest(answer(418))
    with pytest.raises(RemoteRefused, match="answered 301"):
        patience.rest(answer(301, Location="https://there"))


def test_an_unchanged_job_that_came_at_once_is_not_asked_for_at_once() -> None:
    quick, held = answer(304, Retry_After="2"), answer(304, Retry_After="2")
    quick.elapsed, held.elapsed = timedelta(seconds=0.1), timedelta(seconds=30)
    assert (rest_of(quick), rest_of(held)) == (2, 0)
