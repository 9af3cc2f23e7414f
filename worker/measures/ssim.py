"""Structural similarity of two maps: what each map brings to it, and the two put together.

Pure: tensors in, tensors out; each pair's number depends on that pair alone, to the last bit. A map's moments
are computed once, however many maps it is compared with.
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
    """Of maps, by windows (N, H', W'), in units that leave a pair the fewest operations.

    `sums` are those of the windows about the map's origin; `spread` is the sum of squares about the window's mean,
    plus half of C2 in that unit; `level` is sqrt(2) times the window's true mean, `square` its square plus C1.
    """

    window: int
    sums: Tensor
    spread: Tensor
    level: Tensor
    square: Tensor

    def cut(self, by: Callable[[Tensor], Tensor]) -> "Moments":
        """The moments of what is left of the maps once their margins are cut off."""
        return Moments(self.window, *(by(each) for each in (self.sums, self.spread, self.level, self.square)))


def window_of(maps: Tensor) -> int:
    """The side of the windows of maps (N, H, W): 7, or the largest odd number that fits."""
    return min(WINDOW, *(side - 1 + side % 2 for side in maps.shape[1:]))


def moments(centred: Tensor, squared: Tensor, origins: Tensor) -> Moments:
    """What maps in [0, 1] bring to a comparison: (N, H, W) less origins (N,), and the squares of that.

    About the map's own mean fewer digits are lost.
    """
    window = window_of(centred)
    sums, area = _box_sum(centred, window), window**2
    spread = _box_sum(squared, window).addcmul_(sums, sums, value=-1 / area).add_(_half_c2(window))
    level = (math.sqrt(2) * origins)[:, None, None].add(sums, alpha=math.sqrt(2) / area)
    return Moments(window, sums, spread, level, (level * level).add_(C1))


def ssim_of(product: Tensor, a: Moments, b: Moments, valid: Tensor | None = None) -> Tensor:
    """Structural similarity, (N,), at most 1, of maps with these moments; `product` is theirs, about their origins.

    `valid` (H, W) leaves the windows that lie in it wholly.
    """
    covariance = _box_sum(product, a.window).addcmul_(a.sums, b.sums, value=-1 / a.window**2).add_(_half_c2(a.window))
    above = (a.level * b.level).add_(C1).mul_(covariance)
    values = above.div_((a.square + b.square).mul_(a.spread + b.spread))
    if valid is not None:
        whole = _box_sum(valid.float()[None], a.window)[0] == a.window**2
        values = values[:, whole][:, None]
    return 4 * mean_of(values)  # both factors below are twice what they are above


def _half_c2(window: int) -> float:
    """Half of C2 for covariances that are sums over the window, not divided by the sample's N - 1."""
    return C2 * max(window**2 - 1, 1) / 2


def _box_sum(maps: Tensor, window: int) -> Tensor:
    """Sums over all windows, (N, H, W) -> (N, H', W'), down and then across."""
    return maps.unfold(1, window, 1).sum(-1).unfold(2, window, 1).sum(-1)
