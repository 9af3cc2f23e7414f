"""Confidence sequences: intervals of a mean that hold at all times simultaneously, for any number of interim looks.

Pure: arrays in, plain numbers out. Source: Waudby-Smith & Ramdas 2023, Estimating means of bounded random variables
by betting. A gambler bets on each image that the mean is above m, at odds that are fair if the mean is m. If the mean
is m, the capital ever exceeds 1/alpha times the stake with probability alpha at most (Ville's inequality). The interval
contains every m for which the capital is below this bound. The stake is divided among several constant bets, so that
the capital depends on the set of images and not on their order.

Like the bootstrap, the interval estimates the mean of the population from which the images are a random sample. It
does not shrink to a point once all images of a set are seen.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from worker.statistics.bootstrap import Array

# A bet risks a share of the capital that it can lose. Shares near 1 suit values of small spread; shares near 0 suit a
# wide spread and many images. No bet risks everything, so that a single image cannot ruin it.
MAX_BET = 0.98
MIN_BET_SCALE = 1.5  # the smallest useful share is about 1.5 / sqrt(images)
STEPS = 24  # number of times that the bisection halves its range; it returns the outer end, which is conservative
ALPHA = 0.05


@dataclass(frozen=True)
class Confidence:
    """The probability that an interval is ever wrong, and the largest expected number of images.

    Intervals are valid for any number of images; they are shortest for a sizeable fraction of the expected number.
    """

    alpha: float
    images: int

    @cached_property
    def shares(self) -> Array:
        """The shares that the bets risk; each is about twice the one before it."""
        least = min(MAX_BET / 2, MIN_BET_SCALE / max(1, self.images) ** 0.5)
        return np.geomspace(least, MAX_BET, int(np.ceil(np.log2(MAX_BET / least))) + 1)

    @cached_property
    def log_stakes(self) -> Array:
        """The logarithm of each bet's stake. Bets of large shares get larger stakes: they win early or never."""
        stakes = np.sqrt(self.shares)
        return np.asarray(np.log(stakes / stakes.sum()))


def ratio_interval(parts: Array, wholes: Array, claim: Confidence) -> tuple[float, float]:
    """Return the interval of E[part] / E[whole] from n independent pairs, (n,) each, with 0 <= part <= whole <= 1.

    If all wholes are 1, it is the interval of a mean in [0, 1]; images with a whole of 0 do not count.
    """
    return _least(parts, wholes, claim), 1.0 - _least(wholes - parts, wholes, claim)


def log_capital(parts: Array, wholes: Array, ratio: float, claim: Confidence) -> float:
    """Return the logarithm of the capital after betting a stake of 1 that the true ratio is above `ratio` > 0."""
    gains = parts / ratio - wholes
    logs = np.array([np.log1p(share * gains).sum() for share in claim.shares]) + claim.log_stakes
    top = logs.max()
    return float(top + np.log(np.exp(logs - top).sum()))


def _least(parts: Array, wholes: Array, claim: Confidence) -> float:
    """Return the lower end of the interval: the least ratio that the bets do not reject at alpha / 2."""
    if not parts.any():
        return 0.0
    # The capital falls as the ratio grows, and is at most 1 at the observed ratio.
    rejection, low, high = np.log(2.0 / claim.alpha), 0.0, float(parts.sum() / wholes.sum())
    for _ in range(STEPS):
        middle = (low + high) / 2
        if log_capital(parts, wholes, middle, claim) >= rejection:
            low = middle
        else:
            high = middle
    return low
