"""Computes the numbers of final results, with intervals. Pure: arrays in, plain values out.

The interval of a single run comes from the bootstrap over images, and holds for this trained model. The interval of a
cohort of several runs comes from the variance between runs and between images, and holds for the recipe that trains
such models.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from worker.statistics.bootstrap import Array, interval, resample_means
from worker.statistics.chance import corrected, mean_chance, similarities_of
from worker.statistics.cohort import CohortValues, Selection
from worker.statistics.describe import compare, describe, images_of, why_no_interval
from worker.statistics.mean_squares import (
    MIN_RUNS_ACROSS,
    TOO_FEW_RUNS,
    across_runs,
    components_of,
    joint_variance,
    mean_square,
    too_few_known_runs,
    too_few_runs,
    two_way,
)
from worker.statistics.missing import known_mean, missing_share, number_or_none
from worker.statistics.pairing import Pairing
from worker.statistics.ranges import range_of, range_of_difference
from worker.statistics.tree import Tree


class FinalEstimate:
    """Computes numbers, their spread and their intervals."""

    def column(self, some: Selection, name: str) -> Tree:
        """Return the mean of a per-run column, with its interval, spread and quantiles."""
        return describe(*some.column(name)) | _interval(some, name)

    def secondary(self, some: Selection, name: str, key: str) -> Tree:
        """Return the mean of a per-run column as `KEY`, and for a cohort its interval as `KEY_ci95`."""
        mean = {key: number_or_none(known_mean(some.column(name)[0]))}
        return mean if some.run is not None else mean | {f"{key}_ci95": _interval(some, name)["ci95"]}

    def across(self, some: Selection, name: str) -> Tree:
        """Return the mean of a column across runs, with its interval, spread and quantiles."""
        return describe(some.across(name)[some.pairs(name)[1]]) | _interval_across(some, name)

    def chance(self, some: Selection, name: str) -> Tree:
        """Return `chance` and `corrected`, each with its interval as `KEY_ci95` and a reason, if any, as `KEY_note`."""
        some.cohort.check()
        found = similarities_of(some, name)
        tree: dict[str, Any] = {}
        for key, each in (("chance", mean_chance(found)), ("corrected", corrected(found))):
            tree |= {key: each.number, f"{key}_ci95": each.interval}
            tree |= {f"{key}_note": each.reason} if each.reason else {}
        return tree

    def difference(self, cohorts: tuple[CohortValues, CohortValues], pairing: Pairing) -> Tree:
        """Return the mean difference of two cohorts, first minus second, paired by image, with its p value."""
        found = compare(pairing.ours[pairing.rows], pairing.theirs[pairing.rows])
        reason = why_no_interval(int(pairing.rows.sum()), pairing.missing) or too_few_runs(cohorts, pairing.column)
        if reason is not None:
            return found | {"ci95": None, "p": None, "note": reason}
        paired = mean_square((pairing.ours - pairing.theirs)[pairing.rows])
        variance = joint_variance(paired, [components_of(each, pairing.column, pairing.rows) for each in cohorts])
        within = range_of_difference(pairing.column, cohorts[0].bounds)
        return found | {"ci95": variance.interval(found["mean"], within), "p": variance.p_value(found["mean"])}


def _with_reason(reason: str | None, compute: Callable[[], list[float] | None]) -> dict[str, Any]:
    return {"ci95": None, "note": reason} if reason else {"ci95": compute()}


def _interval(some: Selection, name: str) -> dict[str, Any]:
    """Return the interval of a per-run column as `ci95`, or None with the reason as `note`."""
    values, counting = some.column(name)
    known = counting & ~np.isnan(values)

    def compute() -> list[float] | None:
        if values.shape[1] == 1:
            return interval(_resampled(some, name))
        return two_way(values, known).variance.interval(float(values[known].mean()), range_of(name, some.cohort.bounds))

    reason = why_no_interval(images_of(known), missing_share(values[counting])) or too_few_known_runs(known)
    return _with_reason(reason, compute)


def _interval_across(some: Selection, name: str) -> dict[str, Any]:
    """Return the interval of a column across runs as `ci95`, or None with the reason as `note`."""
    cohort, (pairs, images) = some.cohort, some.pairs(name)
    reason = why_no_interval(images_of(~np.isnan(pairs[images])), missing_share(pairs[images]))
    if some.run is not None:
        return _with_reason(reason, lambda: interval(_resampled_across(some, name)))
    few = TOO_FEW_RUNS if cohort.runs.shape[1] < MIN_RUNS_ACROSS else None

    def compute() -> list[float]:
        mean = float(known_mean(some.across(name)[images]))
        return across_runs(pairs, cohort.pairs, images).variance.interval(mean, range_of(name, cohort.bounds))

    return _with_reason(reason or few, compute)


def _resampled(some: Selection, name: str) -> Array:
    """Return the resampled means, (R,), of a column of one run."""
    cohort = some.cohort
    if some.stratum is not None:
        return some.stratum.resampled[name]
    labelled = some.column(name)[1].all(1)
    if labelled.all():
        return cohort.resampled.runs[:, some.run or 0, cohort.run_columns.index(name)]
    values = cohort.column(name)[labelled][:, :, None]
    return resample_means(values, np.ones(values.shape[:2]), cohort.draws, cohort.check).whole[:, 0]


def _resampled_across(some: Selection, name: str) -> Array:
    """Return the resampled means, (R,), of the mean similarity of one run to each of the others."""
    values, draws = some.across(name)[:, None, None], replace(some.cohort.draws, runs="one")
    return resample_means(values, np.ones(values.shape[:2]), draws, some.cohort.check).whole[:, 0]
