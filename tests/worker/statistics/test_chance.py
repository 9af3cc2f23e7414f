import numpy as np
import pytest
from scipy import stats

from worker.statistics.chance import corrected
from worker.statistics.mean_squares import mean_covariance


def similar(random: np.random.Generator, images: int, runs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return values with a mean of 0.8 and chances with a mean of 0.4 that share the deviations of images and runs."""
    image, run = random.normal(0, 0.1, (images, 1)), random.normal(0, 0.03, (1, runs))
    values = 0.8 + image + run + random.normal(0, 0.05, (images, runs))
    return values, 0.4 + 0.5 * image + 2 * run + random.normal(0, 0.05, (images, runs))


def test_the_corrected_similarity_is_the_gain_over_chance_divided_by_the_largest_possible_gain() -> None:
    values, chance = similar(np.random.default_rng(0), 40, 3)
    number, interval, reason = corrected(values, chance)
    assert number == pytest.approx((values.mean() - chance.mean()) / (1 - chance.mean()))
    assert number is not None
    assert interval is not None
    assert interval[0] < number < interval[1] <= 1
    assert reason is None


def test_the_interval_of_one_run_follows_from_the_joint_variance_of_similarity_and_chance() -> None:
    values, chance = similar(np.random.default_rng(1), 200, 1)
    room, mean = 1 - chance.mean(), values.mean()
    covariance = np.cov(values[:, 0], chance[:, 0]) / 200
    gradient = np.array([1 / room, (mean - 1) / room**2])
    reach = stats.t.ppf(0.975, 199) * np.sqrt(gradient @ covariance @ gradient)
    number, interval, _ = corrected(values, chance, np.full(200, -1))
    assert number is not None
    assert interval == pytest.approx([number - reach, number + reach], rel=1e-3)
    assert mean_covariance(values, chance) == pytest.approx(covariance[0, 1])


@pytest.mark.parametrize(("runs", "spread"), [(1, 0.0), (5, 0.03)])
def test_the_interval_contains_the_true_value_about_as_often_as_it_should(runs: int, spread: float) -> None:
    random, held, partners = np.random.default_rng(2), 0, np.arange(60) - 1
    for _ in range(400):
        image, run = random.normal(0, 0.1, (60, 1)), random.normal(0, spread, (1, runs))
        values = 0.8 + 0.5 * image + run + random.normal(0, 0.05, (60, runs))
        chance = 0.4 + image + image[partners] + 2 * run + random.normal(0, 0.05, (60, runs))
        chance[0] = np.nan
        _, interval, _ = corrected(values, chance, partners)
        assert interval is not None
        held += interval[0] <= 0.4 / 0.6 <= interval[1]
    assert 0.93 <= held / 400 <= 0.98


def test_without_partners_the_variance_between_images_is_doubled() -> None:
    values, chance = similar(np.random.default_rng(5), 200, 1)
    alone, unknown = (corrected(values, chance, each)[1] for each in (np.full(200, -1), None))
    assert alone is not None
    assert unknown is not None
    assert unknown[1] - unknown[0] == pytest.approx(np.sqrt(2) * (alone[1] - alone[0]))


def test_similarities_are_not_corrected_if_maps_hardly_depend_on_the_image() -> None:
    number, interval, reason = corrected(np.full((9, 2), 0.99), np.full((9, 2), 0.951))
    assert (number, interval) == (None, None)
    assert reason is not None
    assert reason.startswith("maps hardly depend on the image")
    assert corrected(np.full((9, 2), 0.99), np.full((9, 2), 0.949))[0] is not None


def test_images_without_a_partner_do_not_count_as_missing() -> None:
    values, chance = similar(np.random.default_rng(3), 12, 3)
    chance[:6] = np.nan
    number, interval, _ = corrected(values, chance)
    assert number == pytest.approx((values.mean() - chance[6:].mean()) / (1 - chance[6:].mean()))
    assert interval is not None


def test_a_corrected_similarity_has_no_interval_with_few_images_or_many_missing_values() -> None:
    values, chance = similar(np.random.default_rng(4), 12, 3)
    assert corrected(values[:4], chance[:4])[1:] == (None, "4 image(s): too few for a spread or an interval")
    values[:4] = np.nan
    number, interval, reason = corrected(values, chance)
    assert number is not None
    assert (interval, reason) == (None, "33% of the values are missing: too many for an interval")
    assert corrected(np.full((9, 2), np.nan), np.zeros((9, 2))) == (
        None, None, "no image has both a value and a chance"
    )  # fmt: skip
