"""One number and its interval, at a moment when more images are to come.

Pure: arrays in, plain values out. An interval has two parts, which are added. The images' is a confidence sequence
of the mean under these runs (sequences.py). The runs' is the bootstrap's: how far the mean of resampled runs strays
from that of all. So what is said of a few runs is no more than the results say at last.
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
    """Values (n, K) under K runs between two bounds, `used` (n, K) 1 for those that count and 0 for others.

    `run_deviations` (R,) say how far the mean of resampled runs is from that of all; STILL where no runs are resampled.
    `missing` is the share of values that would count, were they there.
    """

    values: Array
    used: Array
    within: Range
    run_deviations: Array
    missing: float = 0.0


@dataclass(frozen=True)
class InterimEstimate:
    """How sure an interval is to be, and, where images came in slices, which slice each came in (n,)."""

    claim: Confidence
    slices: NDArray[np.int64] | None = None

    def number(self, sample: Sample) -> dict[str, Any]:
        """The mean of a sample's values that count, its interval, and how many there are.

        Few images, or too many missing values, have no interval, so that nothing is decided by them.
        """
        used, within = sample.used, sample.within
        if not used.any():
            return {"mean": None, "ci95": None, "n": 0}
        kept = np.where(used > 0, sample.values, within[0])
        mean = float((kept * used).sum() / used.sum())
        enough = int(used.any(1).sum()) >= MIN_IMAGES and sample.missing <= MOST_MISSING
        return {"mean": mean, "ci95": self._interval(kept, sample) if enough else None, "n": int(used.sum())}

    def _interval(self, kept: Array, sample: Sample) -> list[float] | None:
        low, high = sample.within
        # Similarities in float32 may pass their bounds by a rounding.
        scaled = np.clip((kept - low) / (high - low), 0.0, 1.0) * sample.used
        parts, wholes = self._by_slice(scaled.mean(1)), self._by_slice(sample.used.mean(1))
        least, most = (low + (high - low) * end for end in ratio_interval(parts, wholes, self.claim))
        strays = sample.run_deviations[~np.isnan(sample.run_deviations)]
        if len(strays) < len(sample.run_deviations) // 4:  # as the bootstrap has it
            return None
        down, up = np.quantile(strays, [self.claim.alpha / 2, 1 - self.claim.alpha / 2])
        return [max(low, float(least + down)), min(high, float(most + up))]

    def _by_slice(self, values: Array) -> Array:
        """One value a slice where images came in slices, since neighbours in a set are alike."""
        if self.slices is None:
            return values
        _, own = np.unique(self.slices, return_inverse=True)
        return np.asarray(np.bincount(own, weights=values) / np.bincount(own).max())


def run_deviations(values: Array, used: Array, weights: Array) -> Array:
    """How far means over resampled runs, which weigh (R, K) in them, are from that over all, (R,).

    NaN where nothing was drawn.
    """
    sums, sizes = np.where(used > 0, values, 0.0).sum(0), used.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(weights @ sums / (weights @ sizes) - sums.sum() / sizes.sum())
