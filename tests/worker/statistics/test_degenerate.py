"""Shares of degenerate maps; means, intervals and differences of values of which some are missing."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.support.cohort_values import cohort, numbers
from worker.statistics.bootstrap import (
    RESAMPLES,
    Draws,
    draw_counts,
    generator,
    interval,
    resample_means,
)
from worker.statistics.cohort import CohortValues
from worker.statistics.confidence_sequence import Confidence
from worker.statistics.degenerate import degenerate_share, wilson
from worker.statistics.image_ranking import choose
from worker.statistics.interim_estimate import InterimEstimate
from worker.statistics.results import interim_results, summarise
from worker.statistics.spread import resample_spread


def summarised(values: CohortValues) -> Any:
    return summarise([values])["cohorts"][values.name]


@pytest.mark.parametrize("total", [1, 2, 7, 40, 1300])
def test_the_interval_of_a_share_agrees_with_scipys_wilson_interval(total: int) -> None:
    for count in {0, 1, total // 3, total - 1, total}:
        twin = stats.binomtest(count, total).proportion_ci(method="wilson")
        low, high = wilson(count, total)
        assert (low, high) == pytest.approx((twin.low, twin.high), abs=1e-12)
        assert 0 <= low <= count / total <= high <= 1


def test_the_share_of_degenerate_maps_is_computed_over_the_used_maps() -> None:
    flags, used = np.array([[1.0, 0], [1, 1], [0, 0]]), np.array([[1.0, 1], [0, 1], [1, 0]])
    assert degenerate_share(flags) == {"mean": 0.5, "ci95": wilson(3, 6), "count": 3, "n": 6}
    assert degenerate_share(flags, used) == {"mean": 0.5, "ci95": wilson(2, 4), "count": 2, "n": 4}
    assert degenerate_share(flags, np.zeros((3, 2))) == {"mean": None, "ci95": None, "count": 0, "n": 0}


def missing_some(values: np.ndarray, share: float, seed: int = 5) -> np.ndarray:
    gone = np.random.default_rng(seed).random(values.shape[:2]) < share
    values = values.copy()
    values[gone, 1], values[gone, 2:] = 1, np.nan
    return values


def test_a_resampled_mean_ignores_missing_values() -> None:
    values = np.random.default_rng(1).random((9, 3, 2))
    values[[0, 4, 7], [1, 1, 2], 1] = np.nan
    found = resample_means(values, np.ones((9, 3)), Draws(4, "s"))
    images = draw_counts(generator("images", 4), RESAMPLES, 9)
    runs = draw_counts(generator("s", 4), RESAMPLES, 3)
    for one in range(20):
        weights = np.where(np.isnan(values), 0, images[one][:, None, None] * runs[one][None, :, None])
        assert found.whole[one] == pytest.approx((np.nan_to_num(values) * weights).sum((0, 1)) / weights.sum((0, 1)))
        own = np.where(np.isnan(values), 0, images[one][:, None, None])
        assert found.runs[one] == pytest.approx((np.nan_to_num(values) * own).sum(0) / own.sum(0))


@pytest.mark.parametrize(("missing", "has_interval"), [(0, True), (4, True), (5, False), (19, False)])
def test_there_is_a_note_and_no_interval_if_over_a_fifth_of_the_values_are_missing(
    missing: int, has_interval: bool
) -> None:
    values = numbers(20, 1)
    values[:missing, :, 2:] = np.nan
    found = summarised(cohort(values, [None] * 20))["measures"]["entropy"]
    assert (found["n"], found["missing"], found["ci95"] is not None) == (20 - missing, missing, has_interval)
    assert ("note" in found) is not has_interval


def test_results_count_missing_values_for_the_cohort_each_run_and_each_stratum() -> None:
    values, labels = missing_some(numbers(40, 3), 0.1), ["real", "fake"] * 20
    found = summarised(cohort(values, labels))
    gone = np.isnan(values[:, :, 2])
    entropy = found["measures"]["entropy"]
    assert (entropy["n"], entropy["missing"]) == ((~gone).sum(), gone.sum())
    assert entropy["mean"] == pytest.approx(np.nanmean(values[:, :, 2]))
    assert entropy["ci95"][0] < entropy["mean"] < entropy["ci95"][1]
    assert found["degenerate"] == degenerate_share(values[:, :, 1])
    assert found["runs"][1]["degenerate"]["count"] == gone[:, 1].sum()
    assert found["runs"][1]["measures"]["entropy"]["missing"] == gone[:, 1].sum()
    fake, right = found["strata"]["class"]["fake"], values[:, :, 0] == 1
    assert (fake["degenerate"]["count"], fake["entropy"]["missing"]) == (gone[1::2].sum(), gone[1::2].sum())
    assert found["strata"]["correct"]["true"]["entropy"]["missing"] == (gone & right).sum()


@pytest.mark.parametrize("share", [0.1, 0.6, 1.0])
@pytest.mark.parametrize("images", [1, 4, 30])
def test_results_are_json_without_nan_for_any_share_of_missing_values(images: int, share: float) -> None:
    dead, live = missing_some(numbers(images, 3), share), numbers(images, 3, 1)
    cohorts = [cohort(dead, ["a"] * images, "dead"), cohort(live, ["a"] * images, "live")]
    tree = summarise(cohorts)
    assert json.loads(json.dumps(tree, allow_nan=False)) == tree
    chosen = choose(cohorts, images, {"stability": "runs agree least"})
    assert {each.position for each in chosen} == set(range(images))


def test_a_difference_ignores_missing_values_and_has_no_interval_if_many_are_missing() -> None:
    values = numbers(40, 2)
    some, many = missing_some(values, 0.1), missing_some(values, 0.4)
    for lacking, message in ((some, True), (many, False)):
        tree = summarise([cohort(lacking + 0.0, [None] * 40, "a"), cohort(0.5 * values, [None] * 40, "b")])
        found = next(each for each in tree["differences"] if each["measure"] == "entropy")
        by_image = np.array([np.nan if np.isnan(row).all() else np.nanmean(row) for row in lacking[:, :, 2]])
        assert found["mean"] == pytest.approx(np.nanmean(by_image - 0.5 * values[:, :, 2].mean(1)))
        assert (found["ci95"] is not None, "note" in found) == (message, not message)


def test_a_run_with_only_degenerate_maps_has_no_stability_and_does_not_change_other_runs() -> None:
    values, plain = numbers(12, 3), cohort(numbers(12, 3), [None] * 12)
    values[:, 2, 1] = 1
    across = plain.across.copy()
    lost = [n for n, name in enumerate(plain.across_columns) if ".pair." in name and name.endswith(".2")]
    across[:, lost] = np.nan
    dead = replace(plain, runs=values, across=across)
    found = summarised(dead)
    near = pytest.approx(0.1)
    assert found["measures"]["stability"]["parts"]["matrix"] == [[1, near, None], [near, 1, None], [None] * 3]
    means = [run["measures"]["stability"]["mean"] for run in found["runs"]]
    assert means == [near, near, None]


def test_an_image_with_only_degenerate_maps_is_the_least_typical_and_in_no_other_ranking() -> None:
    values = numbers(20, 2)
    values[13, :, 1], values[13, :, 2:] = 1, np.nan
    first = choose([cohort(values, [None] * 20)], 20, {"stability": "runs agree least"})
    assert next(each.position for each in first if each.why.get("least typical") == 1) == 13
    assert [each.why.keys() & {"most disturbed by noise"} for each in first if each.position == 13] == [set()]


LOOK = InterimEstimate(Confidence(0.05, 60))


def test_an_interim_number_ignores_missing_values_and_has_a_wider_interval_than_the_results() -> None:
    cohorts = [cohort(missing_some(numbers(60, 3), 0.1), ["a", "b"] * 30, "x")]
    now, final = interim_results(cohorts, LOOK)["cohorts"]["x"], summarise(cohorts)["cohorts"]["x"]
    for tree, twin in ((now, final), (now["strata"]["class"]["a"], final["strata"]["class"]["a"])):
        entropy, whole = (tree["measures"], twin["measures"]) if "measures" in tree else (tree, twin)
        assert entropy["entropy"]["mean"] == pytest.approx(whole["entropy"]["mean"])
        assert entropy["entropy"]["n"] == whole["entropy"]["n"]
        assert entropy["entropy"]["ci95"][0] <= whole["entropy"]["ci95"][0]
        assert tree["degenerate"] == twin["degenerate"]


def test_an_interim_number_has_no_interval_if_too_many_values_are_missing() -> None:
    values = numbers(60, 1)
    values[:, :, 2] = 0.9
    values[:48, :, 2] = np.nan
    found = interim_results([cohort(values, [None] * 60, "x"), cohort(numbers(60, 1), [None] * 60, "y")], LOOK)
    assert (
        found["cohorts"]["x"]["measures"]["entropy"]["n"],
        found["cohorts"]["x"]["measures"]["entropy"]["ci95"],
    ) == (12, None)
    assert next(each for each in found["differences"] if each["measure"] == "entropy")["ci95"] is None


@pytest.mark.parametrize("statistic", ["sd", "q25"])
def test_the_interval_of_a_spread_ignores_missing_values(statistic: str) -> None:
    values = np.random.default_rng(3).random((400, 1))
    padded = np.concatenate([values, np.full((40, 1), np.nan)])
    found, twin = (resample_spread(each, statistic, Draws(0, "s")) for each in (padded, values))
    assert found is not None
    assert twin is not None
    assert interval(found) == pytest.approx(interval(twin), abs=0.03)
