from itertools import combinations

import numpy as np
import pytest

from worker.statistics.mean_squares import across_runs, joint_variance, mean_square, two_way


def random_values(images: int, runs: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    image, run = random.normal(size=(images, 1)), 0.5 * random.normal(size=(1, runs))
    return np.asarray(image + run + 0.3 * random.normal(size=(images, runs)))


def everything(values: np.ndarray) -> np.ndarray:
    return np.ones(values.shape, bool)


def test_the_variance_components_are_the_mean_squares_of_a_two_way_analysis_of_variance() -> None:
    values = random_values(12, 4)
    images, runs = values.shape
    mean = values.mean()
    between_runs = between_images = rest = 0.0
    for run in range(runs):
        between_runs += images * (values[:, run].mean() - mean) ** 2 / (runs - 1)
    for image in range(images):
        between_images += runs * (values[image].mean() - mean) ** 2 / (images - 1)
    for image in range(images):
        for run in range(runs):
            expected = values[image].mean() + values[:, run].mean() - mean
            rest += (values[image, run] - expected) ** 2 / ((images - 1) * (runs - 1))
    found = two_way(values, everything(values))
    assert found.runs
    assert found.rest
    assert found.runs.value == pytest.approx(between_runs / values.size)
    assert found.images.value == pytest.approx(between_images / values.size)
    assert found.rest.value == pytest.approx(rest / values.size)
    assert (found.runs.freedom, found.images.freedom, found.rest.freedom) == (3, 11, 33)
    assert found.variance.estimate == pytest.approx((between_runs + between_images - rest) / values.size)


def test_with_missing_values_the_variance_components_agree_with_a_least_squares_fit() -> None:
    values = random_values(9, 3)
    known = np.random.default_rng(1).random(values.shape) > 0.2
    rows = [
        [*(float(image == i) for i in range(9)), *(float(run == k) for k in range(3))]
        for image, run in zip(*np.nonzero(known), strict=True)
    ]
    effects, *_ = np.linalg.lstsq(np.array(rows), values[known], rcond=None)
    residuals = values[known] - np.array(rows) @ effects
    found = two_way(values, known)
    assert found.rest
    assert found.runs
    assert found.rest.freedom == known.sum() - 9 - 3 + 1
    assert found.rest.value == pytest.approx((residuals**2).sum() / found.rest.freedom / known.sum())
    assert found.runs.value == pytest.approx(effects[9:].var(ddof=1) / 3)


def test_a_few_missing_values_hardly_change_the_variance() -> None:
    values, known = random_values(300, 4), np.random.default_rng(1).random((300, 4)) > 0.1
    spoilt = np.where(known, values, np.nan)
    found, whole = two_way(spoilt, known).variance.estimate, two_way(values, everything(values)).variance.estimate
    assert found == pytest.approx(whole, rel=0.1)


def test_the_variance_of_one_run_is_that_of_a_mean_over_images() -> None:
    values = random_values(20, 1)
    found = two_way(values, everything(values))
    assert (found.runs, found.rest) == (None, None)
    assert found.variance.estimate == pytest.approx(values.var(ddof=1) / 20)


def test_runs_without_an_image_in_common_are_compared_by_their_means() -> None:
    values, known = random_values(6, 2), np.zeros((6, 2), bool)
    known[:3, 0] = known[3:, 1] = True
    found = two_way(values, known)
    assert found.runs
    assert found.runs.value == pytest.approx(np.var([values[:3, 0].mean(), values[3:, 1].mean()], ddof=1) / 2)
    assert found.rest is None


def test_the_component_of_runs_in_the_variance_of_stability_is_the_jackknifes_over_runs() -> None:
    runs, images = 5, 8
    pairs = list(combinations(range(runs), 2))
    values = np.random.default_rng(2).random((images, len(pairs)))
    left = [
        np.mean([values[:, number].mean() for number, pair in enumerate(pairs) if run not in pair])
        for run in range(runs)
    ]
    found = across_runs(values, pairs, np.ones(images, bool))
    assert found.runs
    assert found.runs.value == pytest.approx((runs - 1) / runs * np.sum((np.array(left) - np.mean(left)) ** 2))
    assert found.images.value == pytest.approx(values.mean(1).var(ddof=1) / images)
    assert (found.runs.freedom, found.images.freedom) == (4, 7)


def test_the_variance_of_a_difference_adds_components_of_the_runs_of_both_cohorts_and_the_images() -> None:
    a, b = random_values(15, 3), random_values(15, 4, 1)
    found = joint_variance(mean_square(a.mean(1) - b.mean(1)), [two_way(a, everything(a)), two_way(b, everything(b))])
    rests = [two_way(each, everything(each)).rest for each in (a, b)]
    wanted = a.mean(0).var(ddof=1) / 3 + b.mean(0).var(ddof=1) / 4 + (a.mean(1) - b.mean(1)).var(ddof=1) / 15
    assert found.estimate == pytest.approx(wanted - sum(rest.value for rest in rests if rest))
