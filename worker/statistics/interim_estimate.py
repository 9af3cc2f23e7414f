"""Estimates one number and its interval while the audit of further images continues.

Pure: arrays in, plain values out. An interval adds two parts. The part for images is a confidence sequence of the
mean under the given runs (confidence_sequence.py). The part for runs comes from the bootstrap: the deviation of the
mean over resampled runs from the mean over all runs. It therefore claims no more about few runs than the final results.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.statistics.bootstrap import Array
from worker.statistics.cohort import CohortValues, Selection
from worker.statistics.confidence_sequence import Confidence, ratio_interval
from worker.statistics.describe import MIN_IMAGES
from worker.statistics.missing import MOST_MISSING, known_mean, missing_share
from worker.statistics.pairing import Pairing
from worker.statistics.ranges import Range, range_of, range_of_difference
from worker.statistics.tree import LazyTree, Tree

NO_VARIATION = np.zeros(1)


@dataclass(frozen=True)
class Sample:
    """Values (n, K) under K runs with the bounds `within`; `used` (n, K) is 1 for values that count and 0 for others.

    `run_deviations` (R,) has the mean over resampled runs minus the mean over all runs; NO_VARIATION if runs are not
    resampled. `missing` is the share of missing values.
    """

    values: Array
    used: Array
    within: Range
    run_deviations: Array
    missing: float = 0.0


@dataclass(frozen=True)
class InterimEstimate:
    """Computes interim numbers at a confidence `claim`; `slices` (n,) has each image's slice, None without slices."""

    claim: Confidence
    slices: NDArray[np.int64] | None = None

    def column(self, some: Selection, name: str) -> Tree:
        """Return the number of a column of single runs: `mean`, `ci95` and `n`."""
        return _lazy({"mean": "mean", "ci95": "ci95", "n": "n"}, partial(self._column, some, name))

    def secondary(self, some: Selection, name: str, key: str) -> Tree:
        """Return the mean of a column of single runs as `KEY`, and its interval as `KEY_ci95`."""
        return _lazy({key: "mean", f"{key}_ci95": "ci95"}, partial(self._column, some, name))

    def across(self, some: Selection, name: str) -> Tree:
        """Return the number across all pairs of runs, or across the pairs of one run with the others."""
        return _lazy({"mean": "mean", "ci95": "ci95", "n": "n"}, partial(self._across, some, name))

    def difference(self, cohorts: tuple[CohortValues, CohortValues], pairing: Pairing) -> Tree:
        """Return the mean of the first minus the second cohort, paired by image."""
        return _lazy({"mean": "mean", "ci95": "ci95", "n": "n"}, partial(self._difference, cohorts, pairing))

    def _column(self, some: Selection, name: str) -> Tree:
        some.cohort.check()
        values, counting = some.column(name)
        used = (counting & ~np.isnan(values)).astype(float)
        deviations = run_deviations(values, used, some.cohort.run_weights) if some.run is None else NO_VARIATION
        missing = missing_share(values[counting])
        return self.number(Sample(values, used, range_of(name, some.cohort.bounds), deviations, missing))

    def _across(self, some: Selection, name: str) -> Tree:
        some.cohort.check()
        pairs, images = some.pairs(name)
        known = (images[:, None] & ~np.isnan(pairs)).astype(float)
        deviations = run_deviations(pairs, known, some.cohort.pair_weights) if some.run is None else NO_VARIATION
        values, used = known_mean(pairs, 1)[:, None], known.any(1, keepdims=True).astype(float)
        within = range_of(name, some.cohort.bounds)
        return self.number(Sample(values, used, within, deviations, missing_share(pairs[images])))

    def _difference(self, cohorts: tuple[CohortValues, CohortValues], pairing: Pairing) -> Tree:
        ours, theirs = (_deviations(cohort, pairing) for cohort in cohorts)
        paired = (pairing.ours - pairing.theirs)[:, None]
        within = range_of_difference(pairing.column, cohorts[0].bounds)
        return self.number(Sample(paired, pairing.rows[:, None].astype(float), within, ours - theirs, pairing.missing))

    def number(self, sample: Sample) -> dict[str, Any]:
        """Return the mean, interval and number of the values that count.

        With few images, or too many missing values, there is no interval, so that no decision rests on them.
        """
        used, within = sample.used, sample.within
        if not used.any():
            return {"mean": None, "ci95": None, "n": 0}
        filled = np.where(used > 0, sample.values, within[0])
        mean = float((filled * used).sum() / used.sum())
        enough = int(used.any(1).sum()) >= MIN_IMAGES and sample.missing <= MOST_MISSING
        return {"mean": mean, "ci95": self._interval(filled, sample) if enough else None, "n": int(used.sum())}

    def _interval(self, filled: Array, sample: Sample) -> list[float] | None:
        low, high = sample.within
        # Rounding can put similarities in float32 slightly outside their bounds.
        scaled = np.clip((filled - low) / (high - low), 0.0, 1.0) * sample.used
        parts, wholes = self._by_slice(scaled.mean(1)), self._by_slice(sample.used.mean(1))
        least, most = (low + (high - low) * end for end in ratio_interval(parts, wholes, self.claim))
        deviations = sample.run_deviations[~np.isnan(sample.run_deviations)]
        if len(deviations) < len(sample.run_deviations) // 4:  # the same rule as the bootstrap's interval
            return None
        down, up = np.quantile(deviations, [self.claim.alpha / 2, 1 - self.claim.alpha / 2])
        return [max(low, float(least + down)), min(high, float(most + up))]

    def _by_slice(self, values: Array) -> Array:
        """Return one value per slice if images have slices, because neighbouring images of a set are alike."""
        if self.slices is None:
            return values
        _, own = np.unique(self.slices, return_inverse=True)
        return np.asarray(np.bincount(own, weights=values) / np.bincount(own).max())


def run_deviations(values: Array, used: Array, weights: Array) -> Array:
    """Return the mean over each resample of the runs minus the mean over all runs, (R,).

    `weights` (R, K) has how often each resample draws each run. NaN if a resample has no values.
    """
    sums, sizes = np.where(used > 0, values, 0.0).sum(0), used.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(weights @ sums / (weights @ sizes) - sums.sum() / sizes.sum())


def _deviations(cohort: CohortValues, pairing: Pairing) -> Array:
    if pairing.column in cohort.paired_columns:
        values, weights = cohort.pair_values(pairing.column), cohort.pair_weights
    else:
        values, weights = cohort.column(pairing.column), cohort.run_weights
    return run_deviations(values, (pairing.rows[:, None] & ~np.isnan(values)).astype(float), weights)


def _lazy(keys: Mapping[str, str], number: Callable[[], Tree]) -> Tree:
    """Return a tree that has the entries of one number under other keys; `keys` maps each to the number's own."""
    once = cache(number)

    def read(key: str) -> Any:
        return once()[key]

    return LazyTree({key: partial(read, own) for key, own in keys.items()})
