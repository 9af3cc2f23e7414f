import numpy as np

from tests.support.cohort_values import cohort, numbers
from worker.statistics.image_ranking import choose

LABELS = ["real", "synthetic"] * 10
LOWEST = {"stability": "runs agree least"}


def test_the_first_image_of_every_ranking_comes_before_any_second_image() -> None:
    chosen = choose([cohort(numbers(20, 3), LABELS)], 5, LOWEST)
    firsts = [next(iter(each.why)) for each in chosen[:3]]
    assert firsts == ["most typical", "least typical", "runs agree least"]
    assert len(chosen) == 5
    assert len({each.position for each in chosen}) == 5


def test_untypical_images_wrong_images_and_images_with_differences_come_first() -> None:
    values, other = numbers(20, 3), numbers(20, 3, seed=1)
    values[:, :, 0] = other[:, :, 0] = 1
    values[7, :, 2] = other[7, :, 2] = 40  # these values are far from those of all other images
    values[11, :, 0] = 0  # every run of one cohort misclassifies this image
    other[:, :, 2:] = values[:, :, 2:]
    other[3, :, 2] += 0.9
    chosen = choose([cohort(values, LABELS, "a"), cohort(other, LABELS, "b")], 20, LOWEST)
    first = {why: each.position for each in reversed(chosen) for why in each.why}
    assert first["least typical"] == 7
    assert first["most often wrong"] == 11
    assert first["cohorts differ most"] == 3
    wrong = [each.position for each in chosen if "most often wrong" in each.why]
    assert wrong == [11], "an image that every run classifies correctly is never `most often wrong`"


def test_an_image_on_which_one_of_three_cohorts_differs_is_chosen() -> None:
    values = numbers(20, 3)
    odd = values.copy()
    odd[5, :, 2] += 0.9
    cohorts = [cohort(each, LABELS, name) for name, each in (("a", values), ("b", values), ("c", odd))]
    chosen = choose(cohorts, 20, LOWEST)
    assert [each.position for each in chosen if each.why.get("cohorts differ most") == 1] == [5]


def test_a_ranking_is_a_reason_only_for_its_first_images_even_if_all_images_are_chosen() -> None:
    values = numbers(20, 3)
    values[:, :, 0] = 1
    chosen = choose([cohort(values, LABELS)], 64, LOWEST)
    assert len(chosen) == 20
    typical = {each.position for each in chosen if each.why.get("most typical", 99) <= 3}
    odd = {each.position for each in chosen if "least typical" in each.why}
    assert len(typical) == 3
    assert not typical & odd
    assert all(min(each.why.values()) == next(iter(each.why.values())) for each in chosen)


def test_a_sample_has_images_of_each_class_and_at_most_the_requested_number() -> None:
    values = numbers(20, 1)
    chosen = choose([cohort(values, LABELS)], 64, LOWEST)
    assert len(chosen) == 20
    assert {why for each in chosen for why in each.why} >= {"typical of real", "typical of synthetic"}
    assert choose([cohort(values, LABELS)], 0, LOWEST) == []
    unlabelled = values.copy()
    unlabelled[:, :, 0] = np.nan
    whys = {why for each in choose([cohort(unlabelled, [None] * 20)], 8, LOWEST) for why in each.why}
    assert "most often wrong" not in whys
