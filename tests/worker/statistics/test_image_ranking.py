import numpy as np

from tests.support.cohort_values import cohort, numbers
from worker.statistics.image_ranking import choose

LABELS = ["real", "synthetic"] * 10
LOWEST = {"stability": "runs agree least"}


def test_the_first_of_every_reason_comes_before_the_second_of_any() -> None:
    chosen = choose([cohort(numbers(20, 3), LABELS)], 5, LOWEST)
    firsts = [next(iter(each.why)) for each in chosen[:3]]
    assert firsts == ["most typical", "least typical", "runs agree least"]
    assert len(chosen) == 5
    assert len({each.position for each in chosen}) == 5


def test_the_odd_the_wrong_and_the_unlike_are_found() -> None:
    values, other = numbers(20, 3), numbers(20, 3, seed=1)
    values[:, :, 0] = other[:, :, 0] = 1
    values[7, :, 2] = other[7, :, 2] = 40  # far from all others
    values[11, :, 0] = 0  # wrong under every run of a cohort
    other[:, :, 2:] = values[:, :, 2:]
    other[3, :, 2] += 0.9
    chosen = choose([cohort(values, LABELS, "a"), cohort(other, LABELS, "b")], 20, LOWEST)
    first = {why: each.position for each in reversed(chosen) for why in each.why}
    assert first["least typical"] == 7
    assert first["most often wrong"] == 11
    assert first["cohorts differ most"] == 3
    wrong = [each.position for each in chosen if "most often wrong" in each.why]
    assert wrong == [11], "what every run is right about is no such picture"


def test_cohorts_differ_where_any_of_them_is_unlike_the_others() -> None:
    values = numbers(20, 3)
    odd = values.copy()
    odd[5, :, 2] += 0.9
    cohorts = [cohort(each, LABELS, name) for name, each in (("a", values), ("b", values), ("c", odd))]
    chosen = choose(cohorts, 20, LOWEST)
    assert [each.position for each in chosen if each.why.get("cohorts differ most") == 1] == [5]


def test_a_reason_is_of_its_leaders_though_all_pictures_are_chosen() -> None:
    values = numbers(20, 3)
    values[:, :, 0] = 1
    chosen = choose([cohort(values, LABELS)], 64, LOWEST)
    assert len(chosen) == 20
    typical = {each.position for each in chosen if each.why.get("most typical", 99) <= 3}
    odd = {each.position for each in chosen if "least typical" in each.why}
    assert len(typical) == 3
    assert not typical & odd
    assert all(min(each.why.values()) == next(iter(each.why.values())) for each in chosen)


def test_some_of_each_class_are_there_and_no_more_than_asked() -> None:
    values = numbers(20, 1)
    chosen = choose([cohort(values, LABELS)], 64, LOWEST)
    assert len(chosen) == 20
    assert {why for each in chosen for why in each.why} >= {"typical of real", "typical of synthetic"}
    assert choose([cohort(values, LABELS)], 0, LOWEST) == []
    unlabelled = values.copy()
    unlabelled[:, :, 0] = np.nan
    whys = {why for each in choose([cohort(unlabelled, [None] * 20)], 8, LOWEST) for why in each.why}
    assert "most often wrong" not in whys
