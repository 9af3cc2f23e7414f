"""Tests how often intervals contain the true value, in a few of the simulations of `python -m benchmarks.coverage`."""

import numpy as np
import pytest

from benchmarks.coverage import coverage, false_differences, normal, skewed, stability_coverage
from tests.support.cohort_values import cohort, numbers
from worker.statistics.cohort import Selection
from worker.statistics.confidence_sequence import Confidence
from worker.statistics.interim_estimate import InterimEstimate

JOBS = 400  # enough to know a share of 95 % to within 2.2 percentage points with 95 % confidence


@pytest.mark.parametrize(
    ("runs", "spread", "most"), [(2, 1.0, 0.98), (2, 0.0, 1.0), (3, 0.5, 0.98), (5, 1.0, 0.98), (10, 0.5, 0.98)]
)
def test_an_interval_over_runs_and_images_contains_the_true_mean_in_93_to_98_percent(
    runs: int, spread: float, most: float
) -> None:
    assert 0.93 <= coverage(runs, 50, spread, normal, JOBS) <= most


def test_an_interval_over_skewed_runs_contains_the_true_mean_in_93_to_98_percent() -> None:
    assert 0.93 <= coverage(5, 50, 0.5, skewed, JOBS) <= 0.98


@pytest.mark.parametrize("runs", [3, 5])
def test_an_interval_of_stability_contains_the_true_mean_in_at_least_93_percent(runs: int) -> None:
    assert stability_coverage(10)(runs, 50, 0.5, normal, JOBS) >= 0.93


@pytest.mark.parametrize("runs", [3, 10])
def test_two_cohorts_of_the_same_recipe_differ_significantly_in_at_most_6_percent_of_jobs(runs: int) -> None:
    assert false_differences(runs, 50, 0.5, normal, JOBS // 2) <= 0.06


@pytest.mark.parametrize(("runs", "spread"), [(2, 0.05), (3, 0.0), (3, 0.01), (5, 0.05)])
def test_interim_intervals_contain_the_true_mean_at_all_looks_in_95_percent_of_jobs(runs: int, spread: float) -> None:
    random, held, jobs = np.random.default_rng([runs, int(100 * spread)]), 0, 100
    estimate = InterimEstimate(Confidence(0.05, 128))
    for _ in range(jobs):
        values, image = numbers(128, runs), random.normal(0, 0.1, (128, 1))
        own = random.normal(0, 0.05, (128, runs))
        values[:, :, 2] = 0.5 + image + random.normal(0, spread, (1, runs)) + own
        held += all(_holds(estimate, values[:seen]) for seen in (32, 64, 96, 128))
    assert held / jobs >= 0.95


def _holds(estimate: InterimEstimate, values: np.ndarray) -> bool:
    low, high = estimate.column(Selection(cohort(values, [None] * len(values))), "entropy")["ci95"]
    return bool(low <= 0.5 <= high)
