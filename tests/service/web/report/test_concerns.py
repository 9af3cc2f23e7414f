import math

import pytest
from markupsafe import Markup

from service.web.report.cards import Card
from service.web.report.concerns import find_concerns
from service.web.report.data import ReportData
from service.web.report.gallery import group_cards
from tests.support.report_data import material

UNSTABLE, NOISY, WRONG = "runs agree least", "most disturbed by noise", "most often wrong"


def card(image: int, **ranks: int) -> Card:
    named = {"unstable": UNSTABLE, "noisy": NOISY, "wrong": WRONG}
    own = {named[why]: rank for why, rank in ranks.items()}
    return Card(image, f"{image}.png", "", list(own), own, Markup(), [], "")


def reasons_of(cards: list[Card], *cohorts: list[dict[str, float]]) -> dict[str, list[str]]:
    """Return the reasons to review each image, by its name. `cohorts` has the values of each image, for both runs."""
    own = material({name: {"noise": 0.5} for name in ("old", "new")[: len(cohorts)]})
    values = {
        (image, place, run): each if run >= 0 else {"stability": each["stability"]}
        for place, images in enumerate(cohorts)
        for image, each in enumerate(images)
        for run in (-1, 0, 1)
        if run >= 0 or "stability" in each
    }
    data = ReportData(own.job, own.results, None, [], {}, values, [], 0)
    return {each.card.name: list(each.reasons) for each in find_concerns(data, {each.name: each for each in cards})}


def test_an_image_that_leads_several_rankings_is_listed_with_a_reason_for_each() -> None:
    first, second = {"stability": 0.1, "noise": 0.2, "correct": 0}, {"stability": 0.3, "noise": 0.3, "correct": 1}
    cards = [card(1, unstable=2, noisy=2), card(0, unstable=1, wrong=1, noisy=1)]
    assert reasons_of(cards, [first, second]) == {
        "0.png": [f"{UNSTABLE}, 0.10", f"{WRONG}, all 2 runs are wrong", f"{NOISY}, 0.20"]
    }


def test_the_reason_to_review_an_image_has_the_value_of_each_cohort() -> None:
    cards = [card(0, unstable=1)]
    assert reasons_of(cards, [{"stability": 0.9}], [{"stability": 0.2}]) == {
        "0.png": [f"{UNSTABLE}, 0.90 of old, 0.20 of new"]
    }


@pytest.mark.parametrize(
    "values", [{"stability": 0.8, "noise": 0.7, "correct": 1}, {"noise": math.nan, "correct": math.nan}]
)
def test_an_image_with_high_or_missing_values_is_not_listed_for_review(values: dict[str, float]) -> None:
    assert reasons_of([card(0, unstable=1, noisy=1, wrong=1)], [values]) == {}


def test_a_group_of_images_links_to_higher_ranked_images_that_another_group_shows() -> None:
    cards = [card(0, unstable=1, noisy=2), card(1, noisy=3, unstable=2), card(2, noisy=4), card(3, wrong=1, noisy=1)]
    found = {group.title: group for group in group_cards({each.name: each for each in cards})}
    noisy = found["Most disturbed by noise"]
    assert [each.name for each in noisy.before] == ["3.png", "0.png", "1.png"]
    assert [each.name for each in noisy.cards] == ["2.png"]
    assert [each.name for each in found["Most unstable across runs"].cards] == ["0.png", "1.png"]
    assert found["Most unstable across runs"].before == []
