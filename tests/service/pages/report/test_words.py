import pytest

from service.catalogue import MEASURES
from service.pages.numerals import number
from service.pages.report.words import MEANINGS, counted, interval, listed


def test_every_measure_has_its_words() -> None:
    assert MEANINGS.keys() == MEASURES.keys()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.1, "low: looks at little"), (0.45, "middling: looks at some of the picture"),
        (0.9, "high: looks at much of the picture"), (None, "no number"),
    ],
)  # fmt: skip
def test_a_number_says_what_it_means(value: float | None, words: str) -> None:
    assert MEANINGS["entropy"].of(value) == words


def test_numbers_are_written_as_people_write_them() -> None:
    assert (number(-0.12345), number(0.5, 2, sign=True), number(None)) == (
        "\N{MINUS SIGN}0.123",
        "+0.50",
        "\N{EN DASH}",
    )
    assert (interval([0.1, 0.25]), interval(None)) == ("0.100 to 0.250", "")
    assert interval([-0.0004, 0.25], sign=True) == "0.000 to +0.250"
    assert [listed(each) for each in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert (counted(1, "run"), counted(1200, "run")) == ("1 run", "1,200 runs")
