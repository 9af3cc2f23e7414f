"""Structural similarity of two maps, computed from the moments of each map.

Pure: tensors in, tensors out; each pair's number depends on that pair alone, to the last bit. A map's moments
are computed once for all comparisons.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from worker.measures.reduction import mean_of

WINDOW, K1, K2 = 7, 0.01, 0.03
C1, C2 = K1**2, K2**2


@dataclass(frozen=True)
class Moments:
    """The moments of each window of maps, (N, H', W') each, scaled so that a pair needs the fewest operations.

    `sums` has the sum of each window after the origin is subtracted from the map. `spread` is the sum of squared
    deviations from the window's mean, plus `_half_c2(window)`. `level` is sqrt(2) times the window's mean, and
    `square` is the square of `level` plus C1.
    """

    window: int
    sums: Tensor
    spread: Tensor
    level: Tensor
    square: Tensor

    def cut(self, by: Callable[[Tensor], Tensor]) -> "Moments":
        """Return the moments of the maps without their margins."""
        return Moments(self.window, *(by(each) for each in (self.sums, self.spread, self.level, self.square)))


def window_of(maps: Tensor) -> int:
    """Return the side of the windows for maps (N, H, W), in pixels: 7, or the largest odd number that fits."""
    return min(WINDOW, *(side - 1 + side % 2 for side in maps.shape[1:]))


def moments(centred: Tensor, squared: Tensor, origins: Tensor) -> Moments:
    """Return the moments of maps in [0, 1] from `centred` (N, H, W), the maps minus their origins, and its squares.

    The map's own mean as origin loses the fewest digits.
    """
    window = window_of(centred)
    sums, area = _box_sum(centred, window), window**2
    spread = _box_sum(squared, window).addcmul_(sums, sums, value=-1 / area).add_(_half_c2(window))
    level = (math.sqrt(2) * origins)[:, None, None].add(sums, alpha=math.sqrt(2) / area)
    return Moments(window, sums, spread, level, (level * level).add_(C1))


def ssim_of(product: Tensor, a: Moments, b: Moments, valid: Tensor | None = None) -> Tensor:
    """Return the structural similarity, (N,), at most 1, of maps with these moments.

    `product` (N, H, W) is the product of both maps minus their origins. Only windows inside `valid` (H, W) count.
    """
    covariance = _box_sum(product, a.window).addcmul_(a.sums, b.sums, value=-1 / a.window**2).add_(_half_c2(a.window))
    numerator = (a.level * b.level).add_(C1).mul_(covariance)
    values = numerator.div_((a.square + b.square).mul_(a.spread + b.spread))
    if valid is not None:
        whole = _box_sum(valid.float()[None], a.window)[0] == a.window**2
        values = values[:, whole][:, None]
    return 4 * mean_of(values)  # both factors of the denominator have twice the scale of the numerator's


def _half_c2(window: int) -> float:
    """Return half of C2 times N - 1, because the sums over the N pixels of a window are not divided by N - 1."""
    return C2 * max(window**2 - 1, 1) / 2


def _box_sum(maps: Tensor, window: int) -> Tensor:
    """Return the sum of each window, (N, H, W) -> (N, H', W'), first over rows and then over columns."""
    return maps.unfold(1, window, 1).sum(-1).unfold(2, window, 1).sum(-1)
