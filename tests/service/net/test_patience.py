import pytest

from service.errors import DatabaseUnavailable
from service.net.patience import retry_while_unavailable


class Away:
    """Away so many times, then there."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise DatabaseUnavailable
        return "here"


def test_what_is_away_for_a_moment_is_asked_again() -> None:
    assert retry_while_unavailable(Away(3)) == "here"


def test_patience_is_bounded() -> None:
    with pytest.raises(DatabaseUnavailable):
        retry_while_unavailable(Away(10**6), seconds=0.3)


def test_nothing_else_is_tried_again() -> None:
    calls = []

    def refuse() -> None:
        calls.append(1)
        raise ValueError

    with pytest.raises(ValueError):
        retry_while_unavailable(refuse)
    assert calls == [1]
