"""Estimates one number and its interval while the audit of further images continues.

Pure: arrays in, plain values out. An interval adds two parts, and each may be wrong with half of the probability. The
part for images is a confidence sequence of the mean under the given runs (confidence_sequence.py). The part for runs is
an interval of the given runs' mean deviation from the recipe, from the variance between runs (mean_squares.py). One
run is given and has no part for runs; its interval may be wrong with the whole probability.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.statistics.bootstrap import Array
from worker.statistics.chance import Estimated, Similarities, corrected, mean_chance, similarities_of
from worker.statistics.cohort import CohortValues, Selection
from worker.statistics.confidence_sequence import Confidence, ratio_interval
from worker.statistics.describe import images_of, why_no_interval
from worker.statistics.mean_squares import (
    MIN_RUNS_ACROSS,
    TOO_FEW_RUNS,
    Components,
    across_runs,
    components_of,
    too_few_known_runs,
    too_few_runs,
    two_way,
)
from worker.statistics.missing import known_mean, missing_share
from worker.statistics.pairing import Pairing
from worker.statistics.ranges import Range, range_of, range_of_difference
from worker.statistics.tree import LazyTree, Tree
from worker.statistics.variance import Variance

NUMBER = {key: key for key in ("mean", "ci95", "n", "note")}


@dataclass(frozen=True)
class Sample:
    """Values (n, K) of n images under K runs, with the bounds `within`, from which an interval is computed.

    `used` (n, K) is 1 for values that count and 0 for others. `runs` is the variance of the mean that comes from the
    runs, None if the interval is about these K runs and not about their recipe. `reason` says why there is no interval,
    None if there is one.
    """

    values: Array
    used: Array
    within: Range
    runs: Variance | None
    reason: str | None


@dataclass(frozen=True)
class InterimEstimate:
    """Computes interim numbers at a confidence `claim`. `slices` (n,) has each image's slice, None without slices."""

    claim: Confidence
    slices: NDArray[np.int64] | None = None

    def column(self, some: Selection, name: str) -> Tree:
        """Return the statistics of a per-run column: `mean`, `ci95`, `n` and `note`."""
        return _lazy(NUMBER, partial(self._column, some, name))

    def secondary(self, some: Selection, name: str, key: str) -> Tree:
        """Return the mean of a per-run column as `KEY`, and its interval as `KEY_ci95`."""
        return _lazy({key: "mean", f"{key}_ci95": "ci95"}, partial(self._column, some, name))

    def across(self, some: Selection, name: str) -> Tree:
        """Return the statistics of a column across runs, over all pairs of runs or over those that contain one run."""
        return _lazy(NUMBER, partial(self._across, some, name))

    def chance(self, some: Selection, name: str) -> Tree:
        """Return `chance` and `corrected` without intervals.

        The chances of neighbours share a map, so that they are not a random sample, as a confidence sequence needs.
        """

        def of(estimate: Callable[[Similarities], Estimated]) -> float | None:
            return estimate(similarities_of(some, name)).number

        return LazyTree({"chance": partial(of, mean_chance), "corrected": partial(of, corrected)})

    def difference(self, cohorts: tuple[CohortValues, CohortValues], pairing: Pairing) -> Tree:
        """Return the mean difference of two cohorts, first minus second, paired by image."""
        return _lazy(NUMBER, partial(self._difference, cohorts, pairing))

    def _column(self, some: Selection, name: str) -> Tree:
        some.cohort.check()
        values, counting = some.column(name)
        known = counting & ~np.isnan(values)
        reason = why_no_interval(images_of(known), missing_share(values[counting])) or too_few_known_runs(known)
        runs = None if reason else _of_runs(two_way(values, known))
        return self.number(Sample(values, known.astype(float), range_of(name, some.cohort.bounds), runs, reason))

    def _across(self, some: Selection, name: str) -> Tree:
        some.cohort.check()
        cohort, (pairs, images) = some.cohort, some.pairs(name)
        known = images[:, None] & ~np.isnan(pairs)
        reason = why_no_interval(images_of(known), missing_share(pairs[images]))
        if some.run is None and cohort.runs.shape[1] < MIN_RUNS_ACROSS:
            reason = reason or TOO_FEW_RUNS
        given = reason or some.run is not None
        runs = None if given else _of_runs(across_runs(pairs, cohort.pairs, images))
        values, used = known_mean(pairs, 1)[:, None], known.any(1, keepdims=True).astype(float)
        return self.number(Sample(values, used, range_of(name, cohort.bounds), runs, reason))

    def _difference(self, cohorts: tuple[CohortValues, CohortValues], pairing: Pairing) -> Tree:
        rows, column = pairing.rows, pairing.column
        reason = why_no_interval(int(rows.sum()), pairing.missing) or too_few_runs(cohorts, column)
        runs = None if reason else _of_runs(*(components_of(each, column, rows) for each in cohorts))
        values, used = (pairing.ours - pairing.theirs)[:, None], rows[:, None].astype(float)
        within = range_of_difference(column, cohorts[0].bounds)
        return self.number(Sample(values, used, within, runs, reason))

    def number(self, sample: Sample) -> dict[str, Any]:
        """Return the mean, interval and number of the values that count.

        Without an interval, so that no decision rests on the number, `note` has the reason.
        """
        used, within = sample.used, sample.within
        if not used.any():
            return {"mean": None, "ci95": None, "n": 0, "note": sample.reason}
        filled = np.where(used > 0, sample.values, within[0])
        mean = float((filled * used).sum() / used.sum())
        ends = None if sample.reason else self._interval(filled, sample)
        return {"mean": mean, "ci95": ends, "n": int(used.sum()), "note": sample.reason}

    def _interval(self, filled: Array, sample: Sample) -> list[float]:
        low, high = sample.within
        # Rounding can put similarities in float32 slightly outside their bounds.
        scaled = np.clip((filled - low) / (high - low), 0.0, 1.0) * sample.used
        parts, wholes = self._by_slice(scaled.mean(1)), self._by_slice(sample.used.mean(1))
        claim, reach = self.claim, 0.0
        if sample.runs is not None:
            claim = replace(claim, alpha=claim.alpha / 2)
            reach = sample.runs.half_width(claim.alpha)
        least, most = (low + (high - low) * end for end in ratio_interval(parts, wholes, claim))
        return [max(low, float(least) - reach), min(high, float(most) + reach)]

    def _by_slice(self, values: Array) -> Array:
        """Return one value per slice if images have slices, because neighbouring images of a set are similar."""
        if self.slices is None:
            return values
        _, own = np.unique(self.slices, return_inverse=True)
        return np.asarray(np.bincount(own, weights=values) / np.bincount(own).max())


def _of_runs(*cohorts: Components) -> Variance | None:
    """Return the part of a mean's variance that comes from the cohorts' runs; None if each cohort has one run."""
    runs = [each.runs for each in cohorts if each.runs]
    return Variance(runs) if runs else None


def _lazy(keys: Mapping[str, str], number: Callable[[], Tree]) -> Tree:
    """Return a tree with the entries of a number under new keys; `keys` maps each new key to the number's own key."""
    once = cache(number)

    def read(key: str) -> Any:
        return once()[key]

    return LazyTree({key: partial(read, own) for key, own in keys.items()})
