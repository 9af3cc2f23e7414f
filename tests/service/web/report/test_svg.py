import pytest
from markupsafe import Markup

from service.web.report.svg import Scale, domain, element


def test_what_is_put_into_an_element_is_escaped() -> None:
    made = element(
        "text", "<b>", element("title", 'a "quoted" & b'), class_="x", stroke_width=1.50, aria_label='"', none=None
    )
    assert made == Markup(
        '<text class="x" stroke-width="1.5" aria-label="&#34;">&lt;b&gt;'
        "<title>a &#34;quoted&#34; &amp; b</title></text>"
    )


def test_values_have_their_places_and_those_beyond_the_ends_the_ends() -> None:
    scale = Scale(0, 1, 10, 110)
    assert [scale.at(value) for value in (0, 0.5, 1, 7, -7)] == [10, 60, 110, 110, 10]


@pytest.mark.parametrize(
    ("ends", "ticks"),
    [
        ((0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ((-0.2, 1), [-0.2, 0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ((0, 0.14), [0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.14]),
    ],
)
def test_ticks_are_round_and_few(ends: tuple[float, float], ticks: list[float]) -> None:
    assert Scale(*ends, 0, 1).ticks() == ticks


def test_a_range_holds_all_values_and_zero_to_one() -> None:
    assert domain([0.2, 0.9]) == (0.0, 1.0)
    assert domain([]) == (0.0, 1.0)
    assert domain([-0.13, 0.4]) == (-0.2, 1.0)
