"""Computes intervals of a mean over runs, for numbers such as the EER that are not means over images.

Pure: arrays in, plain values out. The variances come from resamples of the images. The formula is that of a two-way
random model of runs and images, with variances from the bootstrap in place of mean squares: for a number that is a mean
over images, the interval equals that of mean squares.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from worker.statistics.bootstrap import Array, interval
from worker.statistics.degenerate import wilson
from worker.statistics.missing import known_mean
from worker.statistics.student import t_quantile


@dataclass(frozen=True)
class RunEstimates:
    """A statistic such as the EER of each of K runs (K,), and under each of R resamples of the images (R, K).

    `images` is the number of images in the smallest class or attack type that the statistic needs.
    """

    numbers: Array
    resampled: Array
    images: int

    def run(self, number: int) -> "RunEstimates":
        """Return the statistic of the run with this number alone."""
        return RunEstimates(self.numbers[[number]], self.resampled[:, [number]], self.images)

    @property
    def mean(self) -> float:
        """The mean of the statistic over the runs."""
        return float(self.numbers.mean())

    def interval(self, unbiased: bool = True) -> list[float] | None:
        """Return the 95 % interval of the mean in [0, 1]; None if too few resamples have a value.

        The interval of one run is the percentile interval, that of several runs Student's t. An interval without width,
        as of a perfect separation of the classes, is replaced by Wilson's interval of a share of as many images. A
        number that is not `unbiased` is too high because it grows with noise; see `_without_bias`.
        """
        means = self.resampled.mean(1)
        found = interval(means)
        if found is None:
            return None
        if len(self.numbers) > 1:
            reach = self._reach()
            found = [self.mean - reach, self.mean + reach]
        if not unbiased:
            found = self._without_bias(found, float(known_mean(means)))
        low, high = (min(max(end, 0.0), 1.0) for end in found)
        if high - low < 1e-9:
            return wilson(self.mean * self.images, self.images)
        return [low, high]

    def _without_bias(self, ends: list[float], resampled: float) -> list[float]:
        """Return an interval without the bias of a sum of absolute values; `resampled` is the mean of the resamples.

        Resampled values are higher than the number, since they contain the noise of its images twice. Where the truth
        is far from 0, that is also how far the number is above the truth (the basic bootstrap, Davison and Hinkley
        1997), which moves the upper end. Where the truth is 0, the number is above it by 1 / (sqrt(2) - 1) times as
        much, which moves the lower end.
        """
        bias = resampled - self.mean
        if len(self.numbers) == 1:  # move the percentile interval from the resamples' mean to the number, reflected
            ends = [2 * self.mean + bias - ends[1], 2 * self.mean + bias - ends[0]]
        return [ends[0] - bias / (sqrt(2) - 1), ends[1] - bias]

    def _reach(self) -> float:
        """Return t * sqrt(v), half the width of the interval of several runs.

        v = J + B - E, where J is the delete-one-run jackknife's variance of the mean, B the variance of the resampled
        means, and E = (A - B) / (K - 1) the part that both contain, with A the mean variance of a single run's
        resamples. If v is below the larger of J and B, that one is used. The degrees of freedom are Satterthwaite's.
        """
        runs = len(self.numbers)
        known = self.resampled[~np.isnan(self.resampled).any(1)]
        jackknife = float(self.numbers.var(ddof=1)) / runs
        images = float(known.mean(1).var())
        both = max(float(known.var(0).mean()) - images, 0.0) / (runs - 1)
        total = jackknife + images - both
        parts = [(jackknife, runs - 1), (images, self.images - 1), (both, (runs - 1) * (self.images - 1))]
        largest = max(parts[:2])
        if total < largest[0]:
            total, parts = largest[0], [largest]
        return t_quantile(_satterthwaite(total, parts)) * sqrt(total)


def _satterthwaite(total: float, parts: Sequence[tuple[float, int]]) -> float:
    """Return the degrees of freedom of a sum of variances `parts`, each with its own degrees of freedom."""
    spread = sum(part**2 / freedom for part, freedom in parts)
    return total**2 / spread if spread > 0 else 1.0
