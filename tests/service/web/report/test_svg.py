import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from service.web.formatting import MINUS
from service.web.report.svg import EDGE, Axis, domain, element


def test_an_element_escapes_its_content() -> None:
    made = element(
        "text", "<b>", element("title", 'a "quoted" & b'), class_="x", stroke_width=1.50, aria_label='"', none=None
    )
    assert made == Markup(
        '<text class="x" stroke-width="1.5" aria-label="&#34;">&lt;b&gt;'
        "<title>a &#34;quoted&#34; &amp; b</title></text>"
    )


def test_an_axis_places_values_beyond_its_range_at_its_ends() -> None:
    axis = Axis(0, 1, 10, 110)
    assert [axis.at(value) for value in (0, 0.5, 1, 7, -7)] == [10, 60, 110, 110, 10]


@pytest.mark.parametrize(
    ("ends", "ticks"),
    [
        ((0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ((-0.2, 1), [-0.2, 0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ((0, 0.14), [0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.14]),
    ],
)
def test_an_axis_has_a_few_ticks_at_round_numbers(ends: tuple[float, float], ticks: list[float]) -> None:
    assert Axis(*ends, 0, 1).ticks == ticks


def test_the_domain_of_a_chart_covers_all_values_and_the_range_from_zero_to_one() -> None:
    assert domain([0.2, 0.9]) == (0.0, 1.0)
    assert domain([]) == (0.0, 1.0)
    assert domain([-0.13, 0.4]) == (-0.2, 1.0)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.4, 0.73], [0.4, 0.5, 0.6, 0.7]),
        ([-0.14, 0.143], [-0.1, -0.05, 0.0, 0.05, 0.1]),
        ([], [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
    ],
)
def test_an_axis_that_fits_its_values_has_round_ticks_within_their_range(
    values: list[float], ticks: list[float]
) -> None:
    assert Axis.covering(values).ticks == ticks


def test_an_axis_places_nearly_equal_values_close_together() -> None:
    axis = Axis.covering([0.5, 0.5001])
    assert axis.at(0.5001) - axis.at(0.5) < 1


@pytest.mark.parametrize(("values", "label"), [([0.4, 0.62], "0.45"), ([-14.0, 14.0], f"{MINUS}5")])
def test_the_labels_of_ticks_have_as_many_digits_as_needed_to_distinguish_them(values: list[float], label: str) -> None:
    axis = Axis.covering(values)
    assert label in [axis.format_tick(tick) for tick in axis.ticks]


@given(st.lists(st.floats(-1, 1), min_size=1))
def test_an_axis_that_fits_its_values_covers_all_values_and_ticks(values: list[float]) -> None:
    axis = Axis.covering(values)
    assert 2 <= len(axis.ticks) <= 7
    for value in (*values, *axis.ticks):
        assert EDGE - 0.01 <= axis.at(value) <= 100 - EDGE + 0.01
