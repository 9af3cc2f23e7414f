"""Similarity of two maps: SSIM, Pearson correlation, mean squared error, overlap of the most salient fifth.

Pure: tensors in, tensors out; each pair's numbers depend on that pair alone, to the last bit.
A valid mask (H, W) restricts all four: SSIM to windows wholly valid. One that is a rectangle is a crop of both maps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from worker.measures.means import mean_of
from worker.measures.ssim import Moments, moments, ssim_of

TOP_SHARE = 0.2


@dataclass(frozen=True)
class Compared:
    """Maps (N, H, W) in [0, 1]; what several comparisons need of them is computed once."""

    maps: Tensor

    @cached_property
    def mean(self) -> Tensor:
        """Of each map, (N,)."""
        return mean_of(self.maps)

    @cached_property
    def centred(self) -> Tensor:
        """The maps about their own mean, (N, H, W)."""
        return self.maps - self.mean[:, None, None]

    @cached_property
    def squared(self) -> Tensor:
        """The squares of the centred maps, (N, H, W)."""
        return self.centred.square()

    @cached_property
    def variance(self) -> Tensor:
        """Of each map, (N,)."""
        return mean_of(self.squared)

    @cached_property
    def is_constant(self) -> Tensor:
        """Which maps have one value everywhere, (N,)."""
        return self.maps.amax((1, 2)) == self.maps.amin((1, 2))

    @cached_property
    def moments(self) -> Moments:
        """What SSIM needs of each map's windows."""
        return moments(self.centred, self.squared, self.mean)

    @cached_property
    def top(self) -> Tensor:
        """1 for the most salient fifth of the pixels, of equals those with the lower index, else 0; (N, H, W)."""
        flat, count = self.maps.flatten(1), _top_count(self.maps)
        least = _select(flat, flat.shape[1] - count)[:, None]
        top = (flat >= least).to(flat.dtype)
        for row in (top.sum(1) > count).nonzero()[:, 0].tolist():
            equal = (flat[row] == least[row]).nonzero()[:, 0]
            surplus = int(top[row].sum()) - count
            top[row, equal[len(equal) - surplus :]] = 0
        return top.view(self.maps.shape)


def ssim(a: Compared, b: Compared, valid: Tensor | None = None) -> Tensor:
    """Structural similarity, (N,), at most 1. Wang et al. 2004.

    As scikit-image's `structural_similarity(a, b, data_range=1)`: uniform window of 7 (on a smaller map the
    largest odd number that fits), sample covariance, mean over the windows wholly inside.
    """
    return ssim_of(a.centred * b.centred, a.moments, b.moments, valid)


def pearson(a: Compared, b: Compared) -> Tensor:
    """Linear correlation, (N,) in [-1, 1]; both constant: 1, one constant: 0."""
    undefined = a.is_constant | b.is_constant
    scale = (a.variance * b.variance).sqrt().masked_fill(undefined, 1)
    value = (mean_of(a.centred * b.centred) / scale).clamp(-1, 1)
    return torch.where(undefined, (a.is_constant & b.is_constant).to(value.dtype), value)


def mse(a: Compared, b: Compared) -> Tensor:
    """Mean squared difference, (N,)."""
    return mean_of((a.maps - b.maps).square())


def iou20(a: Compared, b: Compared) -> Tensor:
    """Intersection over union of the 20 % most salient pixels, (N,) in [0, 1]."""
    count = _top_count(a.maps)
    if count == 0:
        return torch.ones_like(a.maps[:, 0, 0])
    both = (a.top * b.top).sum((1, 2))
    return both / (2 * count - both)


POINTWISE: Mapping[str, Callable[[Compared, Compared], Tensor]] = {"pearson": pearson, "mse": mse, "iou20": iou20}
SIMILARITIES = ("ssim", *POINTWISE)


def similarities(a: Compared, b: Compared, valid: Tensor | None = None) -> dict[str, Tensor]:
    """All four of each pair, over the pixels that a mask (H, W) calls valid. -> name: (N,)."""
    found = {"ssim": ssim(a, b, valid)}
    if valid is not None:  # the others ask for no neighbours, so that the valid pixels may stand in a row
        a, b = (Compared(each.maps[:, valid][:, None]) for each in (a, b))
    return found | {name: similarity(a, b) for name, similarity in POINTWISE.items()}


def _top_count(maps: Tensor) -> int:
    return round(TOP_SHARE * maps[0].numel())


def _select(flat: Tensor, place: int) -> Tensor:
    """The value at a place of each row's ascending order, (N, n) -> (N,)."""
    if flat.is_cuda:
        return flat.kthvalue(place + 1).values
    # On a CPU numpy's selection is several times as fast as torch's.
    return torch.from_numpy(np.partition(flat.numpy(), place, axis=1)[:, place])
