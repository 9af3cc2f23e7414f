"""Estimates the variance of a mean over images and runs, and the interval and p value that follow from it.

Pure: arrays in, plain numbers out. Runs are few, so that the variance between them is itself uncertain. A generalised
confidence interval of the random model (Weerahandi 1993; for variance components Arendacka 2005) takes that into
account: plausible values of the expectation of a mean square MS with f degrees of freedom are distributed as
MS * f / chi2_f. The interval averages the normal distribution over all plausible variances. With a single mean square,
it is the interval of Student's t.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch

from worker.statistics.bootstrap import Array
from worker.statistics.confidence_sequence import ALPHA
from worker.statistics.ranges import Range

# The number of plausible variances, which is prime, and the generator of their lattice (Korobov 1959).
NODES, LATTICE = 1021, 306
STEPS = 60  # the largest number of steps of Newton's method and of the bisection
TOLERANCE = 1e-12


@dataclass(frozen=True)
class MeanSquare:
    """One component of a variance: its estimate and the degrees of freedom of the estimate."""

    value: float
    freedom: int


@dataclass(frozen=True)
class Variance:
    """The estimated variance of a mean: the sum of some mean squares, less the sum of others.

    The variance is never below the largest mean square in `added`, neither its estimate nor its plausible values.
    """

    added: Sequence[MeanSquare]
    subtracted: Sequence[MeanSquare] = field(default=())

    @property
    def estimate(self) -> float:
        """The estimate of the variance, which is at least the largest mean square in `added`."""
        total = sum(each.value for each in self.added) - sum(each.value for each in self.subtracted)
        return max(total, *(each.value for each in self.added), 0.0)

    def half_width(self, alpha: float = ALPHA) -> float:
        """Return half the width of the interval that misses the true mean with probability alpha."""
        spread = np.sqrt(self._plausible())
        if not spread.any():
            return 0.0
        half = float(np.median(spread))
        for _ in range(
            STEPS
        ):  # Newton's method, which converges because the probability is a convex function of the width
            slope = float((np.exp(-((half / spread) ** 2) / 2) / spread).mean() * np.sqrt(2 / np.pi))
            step = (_share_beyond(half, spread) - alpha) / slope
            half = max(half + step, half / 2)
            if abs(step) <= TOLERANCE * half:
                break
        return half

    def p_value(self, mean: float) -> float:
        """Return the two-sided p value of a mean against zero: the smallest alpha whose interval leaves zero out."""
        return _share_beyond(abs(mean), np.sqrt(self._plausible()))

    def interval(self, mean: float, within: Range, alpha: float = ALPHA) -> list[float]:
        """Return the interval of a mean of values that lie in the range `within`. The interval is cut to this range."""
        half = self.half_width(alpha)
        # Rounding can put similarities in float32 slightly outside their bounds; an interval contains its mean.
        return [min(mean, max(within[0], mean - half)), max(mean, min(within[1], mean + half))]

    def _plausible(self) -> Array:
        """Return equally likely values of the variance, (NODES,)."""
        terms = [*self.added, *self.subtracted]
        values = [each.value * _factors(each.freedom, place) for place, each in enumerate(terms)]
        added, subtracted = np.array(values[: len(self.added)]), np.array(values[len(self.added) :])
        return np.asarray(np.maximum(added.sum(0) - subtracted.sum(0), added.max(0)))


def _share_beyond(deviation: float, spread: Array) -> float:
    """Return the probability that a normal variable is further from 0 than `deviation`.

    The probability is averaged over the standard deviations `spread` (NODES,).
    """
    if deviation == 0:
        return 1.0
    with np.errstate(divide="ignore"):
        return float(torch.special.erfc(torch.from_numpy(deviation / (spread * np.sqrt(2)))).mean())


@lru_cache(maxsize=256)
def _factors(freedom: int, place: int) -> Array:
    """Return f / chi2_f for NODES equally likely values of chi2_f. A rank-1 lattice makes terms nearly independent."""
    shares = (np.arange(NODES) * pow(LATTICE, place, NODES) % NODES + 0.5) / NODES
    wanted, half = torch.from_numpy(shares), torch.tensor(freedom / 2, dtype=torch.float64)
    low, high = torch.full_like(wanted, -40.0), torch.full_like(wanted, float(np.log(freedom + 40.0)))
    for _ in range(STEPS):  # bisection of the logarithm of chi2 / 2
        middle = (low + high) / 2
        below = torch.special.gammainc(half, middle.exp()) < wanted
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return np.asarray(freedom / (2 * high.exp().numpy()))
