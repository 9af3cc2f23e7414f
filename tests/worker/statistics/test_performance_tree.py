"""Tests of the branch `performance` in results: numbers with intervals, for the cohort and each run, and plots."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.support.predictions import detector, drawn
from worker.statistics.bootstrap import Draws, interval, no_check, resample_means
from worker.statistics.performance import NAMES
from worker.statistics.performance_tree import performance
from worker.statistics.run_intervals import RunEstimates

DRAWS = Draws(0, "0")


def test_every_number_has_an_interval_and_is_the_mean_over_the_runs() -> None:
    found = performance(drawn(240, 3, 1, spread=0.1), DRAWS, no_check)
    for name in NAMES:
        low, high = found.cohort[f"{name}_ci95"]
        assert 0 <= low <= found.cohort[name] <= high <= 1, name
        assert found.cohort[name] == pytest.approx(np.mean([run[name] for run in found.runs]))
    assert found.cohort["n"] == 240 and found.cohort["reasons"] == {}
    json.dumps(found.cohort, allow_nan=False)


def test_the_accuracy_of_one_run_has_exactly_the_bootstrap_interval_of_a_mean() -> None:
    one = drawn(150, 1, 2)
    means = resample_means(one.correct[:, :, None], np.ones((150, 1)), DRAWS).runs[:, 0, 0]
    assert performance(one, DRAWS, no_check).cohort["accuracy_ci95"] == interval(means)


def test_the_interval_of_accuracy_over_runs_is_that_of_the_two_way_random_model() -> None:
    found = drawn(300, 5, 3, spread=0.3)
    values, (images, runs) = found.correct, found.correct.shape
    by_run, by_image = values.mean(0), values.mean(1)
    rest = values - by_run - by_image[:, None] + values.mean()
    of_runs, of_images = images * by_run.var(ddof=1), runs * by_image.var(ddof=1)
    of_rest = (rest**2).sum() / ((images - 1) * (runs - 1))
    cells = images * runs
    parts = [(of_runs, runs - 1), (of_images, images - 1), (of_rest, (images - 1) * (runs - 1))]
    variance = (of_runs + of_images - of_rest) / cells
    freedom = variance**2 / sum((each / cells) ** 2 / df for each, df in parts)
    reach = stats.t.ppf(0.975, freedom) * np.sqrt(variance)
    low, high = performance(found, DRAWS, no_check).cohort["accuracy_ci95"]
    assert (high - low) / 2 == pytest.approx(reach, rel=0.03)
    assert (high + low) / 2 == pytest.approx(values.mean())


def test_identical_runs_have_the_interval_of_a_single_run() -> None:
    one = drawn(200, 1, 4)
    thrice = detector(one.attacks, np.repeat(one.probabilities[:, :, 1], 3, axis=1))
    narrow, wide = (performance(each, DRAWS, no_check).cohort["auroc_ci95"] for each in (one, thrice))
    assert narrow == pytest.approx(wide, abs=0.02)


def test_numbers_of_perfectly_separated_classes_have_wilsons_interval() -> None:
    attack = np.arange(60) < 20
    for runs in (1, 3):
        found = detector(attack, np.tile(np.where(attack, 0.9, 0.1)[:, None], runs))
        tree = performance(found, DRAWS, no_check).cohort
        assert tree["auroc"] == 1 and tree["auroc_ci95"] == [pytest.approx(stats_wilson(20)), 1]
        assert tree["eer"] == 0 and tree["eer_ci95"] == [0, pytest.approx(1 - stats_wilson(20))]
        assert tree["accuracy_ci95"] == [pytest.approx(stats_wilson(60)), 1]


def stats_wilson(total: int) -> float:
    """Return the lower end of Wilson's interval for a share of 1."""
    return float(stats.binomtest(total, total).proportion_ci(method="wilson").low)


def test_numbers_of_too_few_images_have_no_intervals() -> None:
    tree = performance(detector(np.array([True, False, True, False]), np.eye(4)[:, :2]), DRAWS, no_check).cohort
    assert tree["auroc"] is not None and tree["auroc_ci95"] is None


def test_a_number_that_cannot_be_computed_is_null_and_has_a_reason() -> None:
    tree = performance(detector(np.ones(10, bool), np.full((10, 2), 0.7)), DRAWS, no_check).cohort
    assert tree["auroc"] is None and tree["auroc_ci95"] is None and tree["det"] is None
    assert tree["reasons"]["auroc"] == "needs images of two classes or more"
    empty = performance(detector(np.zeros(0, bool), np.zeros((0, 2))), DRAWS, no_check).cohort
    assert empty["n"] == 0 and empty["accuracy"] is None and empty["reliability"] == []


def test_the_worst_attack_type_of_each_group_column_has_an_interval() -> None:
    found = drawn(240, 2, 6)
    place = np.cumsum(found.attacks)
    types = np.stack([found.attacks & (place % 2 == each) for each in range(2)], axis=1).astype(float)
    tree = performance(replace(found, types={"attack_type": types}), DRAWS, no_check).cohort
    worst = tree["worst_type"]["attack_type"]
    assert worst["apcer_at_bpcer_5"] >= tree["apcer_at_bpcer_5"]
    assert worst["apcer_at_bpcer_5_ci95"][0] <= worst["apcer_at_bpcer_5"] <= worst["apcer_at_bpcer_5_ci95"][1]


def test_the_plots_have_few_points_in_monotonic_order() -> None:
    tree = performance(drawn(400, 2, 8), DRAWS, no_check).cohort
    bpcer, apcer = tree["det"]["bpcer"], tree["det"]["apcer"]
    assert len(bpcer) == len(apcer) <= 100 and len(tree["reliability"]) <= 15
    assert bpcer == sorted(bpcer) and apcer == sorted(apcer, reverse=True)
    assert min(bpcer) * 200 >= 0.9


def test_the_computation_ends_if_the_function_check_raises_an_error() -> None:
    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        performance(drawn(20, 1, 0), DRAWS, stop)


def test_the_interval_of_a_biased_number_is_shifted_by_its_bias() -> None:
    resampled = np.random.default_rng(0).normal(0.4, 0.02, (10_000, 2))
    one = RunEstimates(np.array([0.35]), resampled[:, :1], 100).interval(unbiased=False)
    bias, half = 0.05, 1.96 * 0.02
    assert one == pytest.approx([0.35 - bias / (2**0.5 - 1) - half, 0.35 - bias + half], abs=0.003)
    both = RunEstimates(np.array([0.35, 0.35]), resampled, 100)
    plain, shifted = both.interval(), both.interval(unbiased=False)
    assert plain is not None and shifted is not None
    assert shifted == pytest.approx([plain[0] - bias / (2**0.5 - 1), plain[1] - bias], abs=0.003)


@pytest.mark.parametrize("runs", [1, 2])
def test_a_number_has_no_interval_if_a_class_has_fewer_than_five_images(runs: int) -> None:
    whole = drawn(80, runs, 9)
    for attacks, known in ((1, False), (4, False), (5, True)):
        rows = ~whole.attacks | (np.cumsum(whole.attacks) <= attacks)
        tree = performance(whole.select(rows, whole.own), DRAWS, no_check).cohort
        for name in ("balanced_accuracy", "auroc", "eer", "apcer_at_bpcer_10"):
            assert tree[name] is not None and (tree[f"{name}_ci95"] is not None) == known, name
        assert tree["accuracy_ci95"] is not None


def test_the_worst_attack_type_has_no_interval_if_a_type_has_few_attacks() -> None:
    found = drawn(80, 1, 9)
    first = found.attacks & (np.cumsum(found.attacks) <= 3)
    types = np.stack([first, found.attacks & ~first], axis=1).astype(float)
    worst = performance(replace(found, types={"kind": types}), DRAWS, no_check).cohort["worst_type"]["kind"]
    assert worst["apcer_at_bpcer_10"] is not None and worst["apcer_at_bpcer_10_ci95"] is None
