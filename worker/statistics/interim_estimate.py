"""Estimates one number and its interval while the audit of further images continues.

Pure: arrays in, plain values out. An interval adds two parts. The part for images is a confidence sequence of the
mean under the given runs (confidence_sequence.py). The part for runs comes from the bootstrap: the deviation of the
mean over resampled runs from the mean over all runs. It therefore claims no more about few runs than the final results.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.statistics.bootstrap import Array
from worker.statistics.confidence_sequence import Confidence, ratio_interval
from worker.statistics.describe import MIN_IMAGES
from worker.statistics.missing import MOST_MISSING
from worker.statistics.ranges import Range

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
