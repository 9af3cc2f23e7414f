import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.web.formatting import MINUS
from service.web.report.axis import EDGE, Axis


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.4, 0.73], [0.4, 0.5, 0.6, 0.7]),
        ([-0.14, 0.143], [-0.1, -0.05, 0.0, 0.05, 0.1]),
        ([], [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
    ],
)
def test_ticks_are_round_and_inside(values: list[float], ticks: list[float]) -> None:
    assert Axis.covering(values).ticks == ticks


def test_equal_values_do_not_look_different() -> None:
    axis = Axis.covering([0.5, 0.5001])
    assert axis.percent(0.5001) - axis.percent(0.5) < 1


@pytest.mark.parametrize(("values", "said"), [([0.4, 0.62], "0.45"), ([-14.0, 14.0], f"{MINUS}5")])
def test_ticks_have_the_digits_that_they_need(values: list[float], said: str) -> None:
    axis = Axis.covering(values)
    assert said in [axis.format_tick(tick) for tick in axis.ticks]


@given(st.lists(st.floats(-1, 1), min_size=1))
def test_all_values_and_ticks_stand_on_the_axis(values: list[float]) -> None:
    axis = Axis.covering(values)
    assert 2 <= len(axis.ticks) <= 7
    for value in (*values, *axis.ticks):
        assert EDGE - 0.01 <= axis.percent(value) <= 100 - EDGE + 0.01
