"""Estimates the similarity that unrelated images have by chance, and corrects a mean similarity for it.

Pure: arrays in, plain values out. Source: Cohen 1960, whose kappa corrects agreement in the same way. 0 is no better
than unrelated images, 1 is perfect.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.statistics.bootstrap import Array
from worker.statistics.cohort import Selection
from worker.statistics.describe import images_of, why_no_interval
from worker.statistics.mean_squares import (
    MIN_RUNS_ACROSS,
    TOO_FEW_RUNS,
    Components,
    across_runs,
    too_few_known_runs,
    two_way,
)
from worker.statistics.missing import known_mean, missing_share
from worker.statistics.ranges import SIGNED, Range

LEAST_ROOM = 0.05  # the least value of 1 - chance that leaves something to correct
LITTLE_ROOM = "maps hardly depend on the image: unrelated images have a mean similarity of {:.3f}"
NO_CHANCE = "chance is unknown: it needs two images with the same label, neither of them with a degenerate map"


@dataclass(frozen=True)
class Estimated:
    """A number and its 95 % interval; `reason` says why either is missing."""

    number: float | None
    interval: list[float] | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Similarities:
    """Similarities `values` (n, K) of images, and those of unrelated images, `chance` (n, K), NaN if missing.

    A column is a run, or a pair of runs if `pairs` has the columns' pairs. `counting` (n, K) masks the values that
    count, all by default. `partners` (n,) has the row of the image that each chance compares with, -1 if there is none.
    Chances of images that share a map are alike, which adds to the variance; without `partners`, it is at most doubled,
    and doubled.
    """

    values: Array
    chance: Array
    partners: NDArray[np.int64] | None = None
    pairs: Sequence[tuple[int, int]] | None = None
    counting: Any = True

    @property
    def known(self) -> Any:
        """A mask (n, K) of the values that count and are not missing."""
        return ~np.isnan(self.values) & self.counting

    @property
    def known_chance(self) -> Any:
        """A mask (n, K) of the chances that count and are not missing."""
        return ~np.isnan(self.chance) & self.counting

    def mean(self, numbers: Array, known: Any) -> float:
        """Return the mean of the `known` numbers (n, K); for pairs of runs, the mean of the images' means."""
        chosen = np.where(known, numbers, np.nan)
        return float(known_mean(known_mean(chosen, 1) if self.pairs else chosen))


def similarities_of(some: Selection, column: str) -> Similarities:
    """Return a selection's similarities in a column, with those of unrelated images."""
    cohort = some.cohort
    if column not in cohort.paired_columns:
        values, counting = some.column(column)
        return Similarities(values, some.column("chance")[0], cohort.partners, counting=counting)
    (values, images), (chance, _) = some.pairs(column), some.pairs(f"{column}.chance")
    if some.run is None:
        return Similarities(values, chance, cohort.partners, cohort.pairs, images[:, None])
    # The other runs are given, so that an image has one value: its mean over the pairs with the selected run.
    by_image = [np.asarray(known_mean(each, 1))[:, None] for each in (values, chance)]
    return Similarities(by_image[0], by_image[1], cohort.partners, counting=images[:, None])


def mean_chance(found: Similarities) -> Estimated:
    """Return the mean similarity of unrelated images."""
    known = found.known_chance
    if not known.any():
        return Estimated(None, None, NO_CHANCE)
    return _estimate(found, found.mean(found.chance, known), found.chance, known, SIGNED)


def corrected(found: Similarities) -> Estimated:
    """Return (mean - mean chance) / (1 - mean chance).

    The interval follows from the joint variance of both means by the delta method: to first order, the number varies as
    the mean of values / (1 - chance) - (1 - mean) * chance / (1 - chance)^2. It is cut at 1 alone, for the number has
    no lower bound. Without a value or a chance, or with less than LEAST_ROOM between chance and 1, there is no number.
    """
    if not found.known_chance.any():
        return Estimated(None, None, NO_CHANCE)
    if not found.known.any():
        return Estimated(None, None, "no image has a value")
    mean, by_chance = found.mean(found.values, found.known), found.mean(found.chance, found.known_chance)
    room = 1 - by_chance
    if room < LEAST_ROOM:
        return Estimated(None, None, LITTLE_ROOM.format(by_chance))
    linear = found.values / room - (1 - mean) * found.chance / room**2
    return _estimate(found, (mean - by_chance) / room, linear, found.known & found.known_chance, (-np.inf, 1.0))


def _estimate(found: Similarities, number: float, linear: Array, known: Any, within: Range) -> Estimated:
    """Return a number with its interval.

    To first order, the number varies as the mean of the `known` values of `linear` (n, K). An image without a
    partner has no chance by design, so that its chance is not missing.
    """
    rows = found.known_chance.any(1)
    chosen = np.where(known, linear, np.nan)
    counting = np.broadcast_to(found.counting, chosen.shape)[rows]
    reason = why_no_interval(images_of(known), missing_share(chosen[rows][counting])) or _too_few_runs(found, known)
    if reason is not None:
        return Estimated(number, None, reason)
    split = across_runs(chosen, found.pairs, known.any(1)) if found.pairs else two_way(chosen, known)
    variance = _with_neighbours(split, chosen, found.partners).variance
    return Estimated(number, variance.interval(number, within))


def _too_few_runs(found: Similarities, known: Any) -> str | None:
    if found.pairs is None:
        return too_few_known_runs(known)
    return TOO_FEW_RUNS if len({run for pair in found.pairs for run in pair}) < MIN_RUNS_ACROSS else None


def _with_neighbours(found: Components, linear: Array, partners: NDArray[np.int64] | None) -> Components:
    """Add the covariance between images and their partners to the variance between images.

    An image's chance depends on its own map and on its partner's. In such a sequence neighbours have a correlation of
    1/2 at most, so that their covariance at most doubles the variance.
    """
    added = found.images.value
    if partners is not None:
        by_image = known_mean(linear, 1)
        deviations = np.nan_to_num(by_image - known_mean(by_image))
        together = (deviations * deviations[partners])[partners >= 0].sum()
        added = max(0.0, 2 * float(together) / np.sum(~np.isnan(by_image)) ** 2)
    return replace(found, images=replace(found.images, value=found.images.value + added))
