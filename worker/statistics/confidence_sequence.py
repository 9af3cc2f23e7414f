"""Confidence sequences: intervals of a mean that hold at all times at once, however often one looks at them.

Pure: arrays in, plain numbers out. By betting (Waudby-Smith & Ramdas 2023, Estimating means of bounded random
variables by betting): whoever bets on images that the mean is above m, at fair odds if it is m, multiplies a stake
by more than 1/alpha with probability alpha at most, whenever one looks (Ville's inequality). The means at which no
such bet has won are the interval. The stake is spread over some constant bets, so that the capital is that of a
mixture: it depends on which images were seen and not on their order.

What is estimated is the mean over the images that these are a random sample of, as the bootstrap has it, and not
the mean over a finite set of them: having seen a whole set leaves an interval.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from worker.statistics.bootstrap import Array

# Shares of what may be lost that a bet risks. A share near 1 is what a small spread calls for, one near 0 what a wide
# spread and many images call for; no bet risks all, so that one image never ends it.
MAX_BET = 0.98
MIN_BET_SCALE = 1.5  # the smallest share worth having is about 1.5 / sqrt(images)
STEPS = 24  # halvings, of which the outer end is told
ALPHA = 0.05


@dataclass(frozen=True)
class Confidence:
    """With what probability an interval may ever be wrong, and how many images may come at most.

    Any number of images leaves it valid; intervals are shortest near a fair part of that number.
    """

    alpha: float
    images: int

    @cached_property
    def shares(self) -> Array:
        """The bets, as shares of what may be lost: each about twice the one before it."""
        least = min(MAX_BET / 2, MIN_BET_SCALE / max(1, self.images) ** 0.5)
        return np.geomspace(least, MAX_BET, int(np.ceil(np.log2(MAX_BET / least))) + 1)

    @cached_property
    def log_stakes(self) -> Array:
        """What is staked on each bet, in logarithms: more on the bold ones, which win early or never."""
        stakes = np.sqrt(self.shares)
        return np.asarray(np.log(stakes / stakes.sum()))


def ratio_interval(parts: Array, wholes: Array, claim: Confidence) -> tuple[float, float]:
    """The interval of E[part] / E[whole], of n independent pairs with 0 <= part <= whole <= 1; (n,) both.

    With wholes of 1 it is that of a mean in [0, 1]; with 0 for some, of the mean over the others.
    """
    return _least(parts, wholes, claim), 1.0 - _least(wholes - parts, wholes, claim)


def log_capital(parts: Array, wholes: Array, ratio: float, claim: Confidence) -> float:
    """What a stake of 1 has become by betting that the ratio is above this one, in logarithms; `ratio` > 0."""
    gains = parts / ratio - wholes
    logs = np.array([np.log1p(share * gains).sum() for share in claim.shares]) + claim.log_stakes
    top = logs.max()
    return float(top + np.log(np.exp(logs - top).sum()))


def _least(parts: Array, wholes: Array, claim: Confidence) -> float:
    """The least ratio that has not been bet against with success; half of alpha is for each side."""
    if not parts.any():
        return 0.0
    # The capital falls as the ratio grows, and nothing was won against the ratio seen.
    wanted, low, high = np.log(2.0 / claim.alpha), 0.0, float(parts.sum() / wholes.sum())
    for _ in range(STEPS):
        middle = (low + high) / 2
        if log_capital(parts, wholes, middle, claim) >= wanted:
            low = middle
        else:
            high = middle
    return low
