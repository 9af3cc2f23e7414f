import pytest

from service.web.formatting import MINUS, NOTHING, age, duration, minus, number


@pytest.mark.parametrize(
    ("value", "sign", "expected"),
    [
        (0.5, False, "0.500"),
        (-0.0004, True, "0.000"),
        (0.1234, True, "+0.123"),
        (-0.5, True, f"{MINUS}0.500"),
        (None, True, NOTHING),
    ],
)
def test_a_number_has_three_decimals_and_a_minus_sign_but_never_minus_zero(
    value: float | None, sign: bool, expected: str
) -> None:
    assert number(value, sign=sign) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "0 s"), (59.6, "1 min 0 s"), (3661, "1 h 1 min"), (200_000, "2 d 7 h")]
)
def test_a_duration_has_at_most_two_units(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(-3, "just now"), (59, "just now"), (150, "2 min ago"), (9e4, "1 d ago")]
)
def test_an_age_has_one_unit(seconds: float, expected: str) -> None:
    assert age(seconds) == expected


def test_negative_numbers_in_a_sentence_get_a_minus_sign_and_hyphens_stay() -> None:
    text = "gap of model-2 is -0.25, 95 % interval -0.5 to 0.1 (-1 is wanted) since 2024-05-01"
    expected = "gap of model-2 is \u22120.25, 95 % interval \u22120.5 to 0.1 (\u22121 is wanted) since 2024-05-01"
    assert minus(text) == expected
