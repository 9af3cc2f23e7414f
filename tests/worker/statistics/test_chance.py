import numpy as np
import pytest
from scipy import stats

from worker.statistics.chance import Similarities, corrected, mean_chance


def similar(random: np.random.Generator, images: int, runs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return values with a mean of 0.8 and chances with a mean of 0.4 that share the deviations of images and runs."""
    image, run = random.normal(0, 0.1, (images, 1)), random.normal(0, 0.03, (1, runs))
    values = 0.8 + image + run + random.normal(0, 0.05, (images, runs))
    return values, 0.4 + 0.5 * image + 2 * run + random.normal(0, 0.05, (images, runs))


def test_the_corrected_similarity_is_the_gain_over_chance_divided_by_the_largest_possible_gain() -> None:
    values, chance = similar(np.random.default_rng(0), 40, 3)
    found = corrected(Similarities(values, chance))
    assert found.number == pytest.approx((values.mean() - chance.mean()) / (1 - chance.mean()))
    assert found.number is not None
    assert found.interval is not None
    assert found.interval[0] < found.number < found.interval[1] <= 1
    assert found.reason is None


def test_the_interval_of_one_run_follows_from_the_joint_variance_of_similarity_and_chance() -> None:
    values, chance = similar(np.random.default_rng(1), 200, 1)
    room, mean = 1 - chance.mean(), values.mean()
    covariance = np.cov(values[:, 0], chance[:, 0]) / 200
    gradient = np.array([1 / room, (mean - 1) / room**2])
    reach = stats.t.ppf(0.975, 199) * np.sqrt(gradient @ covariance @ gradient)
    found = corrected(Similarities(values, chance, np.full(200, -1)))
    assert found.number is not None
    assert found.interval == pytest.approx([found.number - reach, found.number + reach], rel=1e-3)


@pytest.mark.parametrize(("runs", "spread"), [(1, 0.0), (5, 0.03)])
def test_the_interval_contains_the_true_value_about_as_often_as_it_should(runs: int, spread: float) -> None:
    random, held, by_chance, partners = np.random.default_rng(2), 0, 0, np.arange(60) - 1
    for _ in range(400):
        image, run = random.normal(0, 0.1, (60, 1)), random.normal(0, spread, (1, runs))
        values = 0.8 + 0.5 * image + run + random.normal(0, 0.05, (60, runs))
        chance = 0.4 + image + image[partners] + 2 * run + random.normal(0, 0.05, (60, runs))
        chance[0] = np.nan
        found = Similarities(values, chance, partners)
        interval, of_chance = corrected(found).interval, mean_chance(found).interval
        assert interval is not None
        assert of_chance is not None
        held += interval[0] <= 0.4 / 0.6 <= interval[1]
        by_chance += of_chance[0] <= 0.4 <= of_chance[1]
    assert 0.93 <= held / 400 <= 0.98
    assert 0.93 <= by_chance / 400 <= 0.98


def test_without_partners_the_variance_between_images_is_doubled() -> None:
    values, chance = similar(np.random.default_rng(5), 200, 1)
    alone, unknown = (corrected(Similarities(values, chance, each)).interval for each in (np.full(200, -1), None))
    assert alone is not None
    assert unknown is not None
    assert unknown[1] - unknown[0] == pytest.approx(np.sqrt(2) * (alone[1] - alone[0]))


def test_similarities_are_not_corrected_if_maps_hardly_depend_on_the_image() -> None:
    found = corrected(Similarities(np.full((9, 2), 0.99), np.full((9, 2), 0.951)))
    assert (found.number, found.interval) == (None, None)
    assert found.reason is not None
    assert found.reason.startswith("maps hardly depend on the image")
    assert corrected(Similarities(np.full((9, 2), 0.99), np.full((9, 2), 0.949))).number is not None


def test_images_without_a_partner_do_not_count_as_missing() -> None:
    values, chance = similar(np.random.default_rng(3), 12, 3)
    chance[:6] = np.nan
    found = corrected(Similarities(values, chance))
    assert found.number == pytest.approx((values.mean() - chance[6:].mean()) / (1 - chance[6:].mean()))
    assert found.interval is not None


def test_a_corrected_similarity_has_no_interval_with_few_images_or_many_missing_values() -> None:
    values, chance = similar(np.random.default_rng(4), 12, 3)
    few = corrected(Similarities(values[:4], chance[:4]))
    assert (few.interval, few.reason) == (None, "4 image(s): too few for a spread or an interval")
    values[:4] = np.nan
    found = corrected(Similarities(values, chance))
    assert found.number is not None
    assert (found.interval, found.reason) == (None, "33% of the values are missing: too many for an interval")
    assert corrected(Similarities(np.full((9, 2), np.nan), np.zeros((9, 2)))).reason == "no image has a value"
    without = Similarities(np.zeros((9, 2)), np.full((9, 2), np.nan))
    for each in (corrected(without), mean_chance(without)):
        assert each.number is None
        assert each.reason is not None
        assert each.reason.startswith("chance is unknown")


def test_values_that_do_not_count_are_neither_used_nor_missing() -> None:
    values, chance = similar(np.random.default_rng(6), 20, 2)
    counting = np.arange(20)[:, None] % 2 == np.arange(2)
    counting[:10] = True
    found = Similarities(values, chance, counting=counting)
    mean, by_chance = values[counting].mean(), chance[counting].mean()
    assert corrected(found).number == pytest.approx((mean - by_chance) / (1 - by_chance))
    assert corrected(found).interval is not None
    assert mean_chance(found).number == pytest.approx(by_chance)
    assert mean_chance(found).interval is not None


def test_several_runs_of_which_one_has_values_have_no_interval() -> None:
    values, chance = similar(np.random.default_rng(7), 10, 10)
    values[:, 1:] = chance[:, 1:] = np.nan
    found = Similarities(values[:, :2], chance[:, :2], counting=np.arange(2)[None] == np.zeros((10, 1)))
    for each in (corrected(found), mean_chance(found)):
        assert each.number is not None
        assert (each.interval, each.reason) == (None, "needs two runs with values: only one run has any")


def test_pairs_of_runs_count_each_image_once_and_need_three_runs() -> None:
    values, chance = similar(np.random.default_rng(8), 30, 3)
    values[0, :2] = chance[1, 0] = np.nan
    found = Similarities(values, chance, pairs=[(0, 1), (0, 2), (1, 2)])
    mean, by_chance = (np.nanmean(np.nanmean(each, 1)) for each in (values, chance))
    assert corrected(found).number == pytest.approx((mean - by_chance) / (1 - by_chance))
    assert corrected(found).interval is not None
    two = Similarities(values[:, :1], chance[:, :1], pairs=[(0, 1)])
    for each in (corrected(two), mean_chance(two)):
        assert each.number is not None
        assert each.interval is None
        assert each.reason is not None
        assert each.reason.startswith("needs three runs")
