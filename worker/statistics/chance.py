"""Corrects a mean similarity for what unrelated images have by chance. Pure: arrays in, plain values out.

Source: Cohen 1960, whose kappa corrects agreement in the same way. 0 is no better than unrelated images, 1 is perfect.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.statistics.bootstrap import Array
from worker.statistics.describe import images_of, why_no_interval
from worker.statistics.mean_squares import Components, two_way
from worker.statistics.missing import known_mean, missing_share

LEAST_ROOM = 0.05  # the least value of 1 - chance that leaves something to correct
LITTLE_ROOM = "maps hardly depend on the image: unrelated images have a mean similarity of {:.3f}"
Corrected = tuple[float | None, list[float] | None, str | None]


def corrected(
    values: Array,
    chance: Array,
    partners: NDArray[np.int64] | None = None,
    components: Callable[[Array, Any], Components] = two_way,
) -> Corrected:
    """Return (mean - mean chance) / (1 - mean chance), its 95 % interval, and why either is missing.

    `values` and `chance` are similarities (n, K) of the same images under the same K runs, NaN if missing;
    `components` splits the variance of a mean, by default that of columns of single runs. The interval follows from
    the joint variance of both means by the delta method: to first order, the number varies as the mean of
    values / (1 - chance) - (1 - mean) * chance / (1 - chance)^2. It is cut at 1 alone, for the number has no lower
    bound. Without a value or a chance, or with less than LEAST_ROOM between chance and 1, there is no number.

    `partners` (n,) has the row of the image that each chance compares with, -1 if there is none. Chances of images
    that share a map are alike, which adds to the variance; without `partners`, it is at most doubled, and doubled.
    """
    known, unrelated = ~np.isnan(values), ~np.isnan(chance)
    if not known.any() or not unrelated.any():
        return None, None, "no image has both a value and a chance"
    mean, by_chance = float(values[known].mean()), float(chance[unrelated].mean())
    room = 1 - by_chance
    if room < LEAST_ROOM:
        return None, None, LITTLE_ROOM.format(by_chance)
    number, both = (mean - by_chance) / room, known & unrelated
    # An image without a partner has no chance by design, so that its chance is not missing.
    missing = missing_share(np.where(both, values, np.nan)[unrelated.any(1)])
    reason = why_no_interval(images_of(both), missing)
    if reason is not None:
        return number, None, reason
    linear = np.where(both, values / room - (1 - mean) * chance / room**2, np.nan)
    variance = _with_neighbours(components(linear, both), linear, partners).variance
    return number, variance.interval(number, (-np.inf, 1.0)), None


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
