"""Computes error rates of a detector at every threshold, for many weightings of the images at once.

Pure: arrays in, arrays out. An image is classified as an attack if its score is at least the threshold. BPCER is the
share of bona fide images that are classified as attacks, APCER the share of attacks that are not (ISO/IEC 30107-3).
The thresholds are infinity and every score that occurs; images with equal scores share a threshold. A weighting says
how often a resample draws each image; a weighting of ones gives the error rates of the images themselves.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.statistics.bootstrap import Array

ROUNDING = 1e-9  # rounding may lift a computed share above an equal limit by this much


@dataclass(frozen=True)
class Thresholds:
    """The thresholds that separate images by their scores. `order` (n,) sorts the images by descending score.

    In that order, `attack` (n,) says which images are attacks, and `last` (T,) has the position of the last image at or
    above each threshold.
    """

    order: NDArray[np.intp]
    attack: NDArray[np.bool_]
    last: NDArray[np.intp]

    @classmethod
    def of(cls, attack: NDArray[np.bool_], scores: Array) -> "Thresholds":
        """Return the thresholds of these scores (n,); `attack` (n,) says which images are attacks."""
        order = np.argsort(-scores, kind="stable")
        ends = np.append(np.diff(scores[order]) != 0, True)
        return cls(order, attack[order], np.flatnonzero(ends))

    def rates(self, weights: Array) -> "ErrorRates":
        """Return the error rates under each of the weightings (R, n)."""
        return ErrorRates(self, weights)


@dataclass(frozen=True)
class ErrorRates:
    """Error rates under R weightings of the images, (R, n).

    A rate is NaN if a weighting has no image of its class.
    """

    thresholds: Thresholds
    weights: Array

    @cached_property
    def bpcer(self) -> Array:
        """The BPCER at each threshold, from the highest to the lowest, (R, T + 1)."""
        return self._shares(~self.thresholds.attack)

    @cached_property
    def apcer(self) -> Array:
        """The APCER at each threshold, from the highest to the lowest, (R, T + 1)."""
        return 1.0 - self._shares(self.thresholds.attack)

    @cached_property
    def auroc(self) -> Array:
        """The area under the ROC curve, (R,): how often an attack has the higher score, ties counted half."""
        hits = 1.0 - self.apcer
        return np.asarray((np.diff(self.bpcer) * (hits[:, 1:] + hits[:, :-1])).sum(1) / 2)

    @cached_property
    def eer(self) -> Array:
        """The equal error rate, (R,): where the straight lines between neighbouring thresholds have APCER = BPCER."""
        excess = self.apcer - self.bpcer  # falls from 1 at the highest threshold to -1 at the lowest
        after = np.maximum((excess > 0).sum(1), 1)  # the sum is 0 for NaN
        rows = np.arange(len(excess))
        before = excess[rows, after - 1]
        share = before / (before - excess[rows, after])
        low, high = self.bpcer[rows, after - 1], self.bpcer[rows, after]
        return np.asarray(low + share * (high - low))

    def apcer_at(self, bpcer: float) -> Array:
        """Return the APCER at the lowest threshold whose BPCER is at most `bpcer`, (R,)."""
        found = self.apcer[np.arange(len(self.apcer)), self._threshold(bpcer)]
        return np.where(self._has_bona_fide, found, np.nan)

    def apcer_by_type(self, bpcer: float, types: Array) -> Array:
        """Return the APCER of each attack type at the threshold of `apcer_at`, (R, P).

        `types` (n, P) is 1 if an image is an attack of a type, and 0 otherwise.
        """
        first = np.append(0, self.thresholds.last + 1)[self._threshold(bpcer)]  # position of the first image below it
        below = np.argsort(self.thresholds.order) >= first[:, None]
        with np.errstate(invalid="ignore"):
            shares = ((self.weights * below) @ types) / (self.weights @ types)
        return np.where(self._has_bona_fide[:, None], shares, np.nan)

    @property
    def _has_bona_fide(self) -> Any:
        return ~np.isnan(self.bpcer[:, 0])

    def _threshold(self, bpcer: float) -> Any:
        """Return the index of the lowest threshold whose BPCER is at most `bpcer`, (R,)."""
        return np.maximum((self.bpcer <= bpcer + ROUNDING).sum(1) - 1, 0)

    def _shares(self, some: NDArray[np.bool_]) -> Array:
        """Return the share of the images in the mask `some` that each threshold classifies as attacks, (R, T + 1)."""
        order, last = self.thresholds.order[some], self.thresholds.last
        sums = np.zeros((len(self.weights), len(order) + 1))
        np.cumsum(self.weights[:, order], axis=1, out=sums[:, 1:])
        at_threshold = np.append(0, np.cumsum(some)[last])
        with np.errstate(invalid="ignore"):
            return sums[:, at_threshold] / sums[:, -1:]
