import pytest

from service.errors import DatabaseUnavailable
from service.net.backoff import exponential_delay, retry_while_unavailable


def test_the_delay_grows_with_each_failure_up_to_a_maximum_and_is_random() -> None:
    found = [exponential_delay(failures, 1.0, 60.0) for failures in range(1, 2000)]
    assert 0.5 <= found[0] <= 1
    assert 8 <= found[4] <= 16
    assert all(30 <= each <= 60 for each in found[6:])
    assert len(set(found)) == len(found)


class UnavailableDatabase:
    """A function that raises DatabaseUnavailable `times` times and then succeeds."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise DatabaseUnavailable
        return "result"


def test_a_call_is_retried_until_the_database_is_available() -> None:
    assert retry_while_unavailable(UnavailableDatabase(3)) == "result"


def test_retries_end_after_the_given_time() -> None:
    with pytest.raises(DatabaseUnavailable):
        retry_while_unavailable(UnavailableDatabase(10**6), seconds=0.3)


def test_a_call_is_not_retried_after_any_other_error() -> None:
    calls = []

    def fail() -> None:
        calls.append(1)
        raise ValueError

    with pytest.raises(ValueError):
        retry_while_unavailable(fail)
    assert calls == [1]
