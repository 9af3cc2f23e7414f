"""Similarity of two maps: SSIM, Pearson correlation, mean squared error, overlap of the most salient fifth.

Pure: tensors in, tensors out; each pair's numbers depend on that pair alone, to the last bit. A valid mask (H, W)
restricts all four to its pixels, and SSIM to windows inside it. A rectangular mask is the same as cropping both maps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from worker.measures.reduction import mean_of
from worker.measures.ssim import Moments, moments, ssim_of, window_of

TOP_SHARE = 0.2
ROUNDING = 1e-9  # the computed variance of a constant map in [0, 1] stays below this


@dataclass(frozen=True)
class ComparableMaps:
    """Maps (N, H, W) in [0, 1], with the intermediate results that several comparisons share."""

    maps: Tensor

    def cut(self, by: Callable[[Tensor], Tensor]) -> "ComparableMaps":
        """Return the maps cropped by the function `by`. Moments of windows that remain whole are not computed again."""
        cropped = ComparableMaps(by(self.maps))
        if window_of(cropped.maps) == self.moments.window:
            vars(cropped).update(about=by(self.about), moments=self.moments.cut(by))
        return cropped

    @cached_property
    def mean(self) -> Tensor:
        """The mean of each map, (N,)."""
        return mean_of(self.maps)

    @cached_property
    def centred(self) -> Tensor:
        """The maps minus their own mean, (N, H, W)."""
        return self.maps - self.mean[:, None, None]

    @cached_property
    def about(self) -> Tensor:
        """The maps minus the origin of their moments: their own mean, or the mean before the cut; (N, H, W)."""
        return self.centred

    @cached_property
    def squared(self) -> Tensor:
        """The squares of the centred maps, (N, H, W)."""
        return self.centred.square()

    @cached_property
    def variance(self) -> Tensor:
        """The variance of each map, (N,)."""
        return mean_of(self.squared)

    @cached_property
    def is_constant(self) -> Tensor:
        """Which maps have one value everywhere, (N,)."""
        found = self.variance < ROUNDING
        if found.any():
            found &= self.maps.amax((1, 2)) == self.maps.amin((1, 2))
        return found

    @cached_property
    def moments(self) -> Moments:
        """The moments of each map's windows, for SSIM."""
        return moments(self.centred, self.squared, self.mean)

    @cached_property
    def top(self) -> Tensor:
        """1 for the most salient fifth of the pixels, else 0, (N, H, W). Of equal pixels, lower indices come first."""
        flat, count = self.maps.flatten(1), _top_count(self.maps)
        least = _select(flat, flat.shape[1] - count)[:, None]
        top = (flat >= least).to(flat.dtype)
        for row in (top.sum(1) > count).nonzero()[:, 0].tolist():
            equal = (flat[row] == least[row]).nonzero()[:, 0]
            surplus = int(top[row].sum()) - count
            top[row, equal[len(equal) - surplus :]] = 0
        return top.view(self.maps.shape)


def ssim(a: ComparableMaps, b: ComparableMaps, valid: Tensor | None = None) -> Tensor:
    """Structural similarity, (N,), at most 1. Wang et al. 2004.

    Equals scikit-image's `structural_similarity(a, b, data_range=1)`: uniform window of 7 (on a smaller map the
    largest odd number that fits), sample covariance, mean over the windows that lie inside the map.
    """
    return ssim_of(a.about * b.about, a.moments, b.moments, valid)


def pearson(a: ComparableMaps, b: ComparableMaps, product: Tensor | None = None) -> Tensor:
    """Linear correlation, (N,) in [-1, 1]; 1 if both maps are constant, 0 if only one is.

    `product` (N, H, W) is the product of the centred maps, if the caller already has it.
    """
    product = a.centred * b.centred if product is None else product
    undefined = a.is_constant | b.is_constant
    scale = (a.variance.sqrt() * b.variance.sqrt()).masked_fill(undefined, 1)
    value = (mean_of(product) / scale).clamp(-1, 1)
    return torch.where(undefined, (a.is_constant & b.is_constant).to(value.dtype), value)


def mse(a: ComparableMaps, b: ComparableMaps) -> Tensor:
    """Mean squared difference, (N,)."""
    return mean_of((a.maps - b.maps).square())


def iou20(a: ComparableMaps, b: ComparableMaps) -> Tensor:
    """Intersection over union of the 20 % most salient pixels, (N,) in [0, 1]."""
    count = _top_count(a.maps)
    if count == 0:
        return torch.ones_like(a.maps[:, 0, 0])
    both = (a.top * b.top).sum((1, 2))
    return both / (2 * count - both)


POINTWISE = ("pearson", "mse", "iou20")
SIMILARITIES = ("ssim", *POINTWISE)


def similarities(a: ComparableMaps, b: ComparableMaps, valid: Tensor | None = None) -> dict[str, Tensor]:
    """Return all four similarities of each pair, over the pixels of the mask `valid` (H, W) -> name: (N,)."""
    product = a.about * b.about
    found = {"ssim": ssim_of(product, a.moments, b.moments, valid)}
    if valid is not None:  # the other similarities ignore neighbourhoods, so the valid pixels can form one row
        a, b = (ComparableMaps(each.maps[:, valid][:, None]) for each in (a, b))
    shared = product if valid is None and a.about is a.centred and b.about is b.centred else None
    return found | {"pearson": pearson(a, b, shared), "mse": mse(a, b), "iou20": iou20(a, b)}


# The values for a degenerate map: a similarity of 0, and the largest distance of maps in [0, 1]. The computed distance
# to an empty map is small if the other map is focused, and would count as similarity.
UNLIKE: Mapping[str, float] = {"ssim": 0.0, "pearson": 0.0, "mse": 1.0, "iou20": 0.0}


def without_degenerate(found: Mapping[str, Tensor], clean: Tensor, other: Tensor | None = None) -> dict[str, Tensor]:
    """Return the similarities (N,) of pairs of maps, replaced where a map is degenerate.

    `clean` and `other` (N,) mark the degenerate maps. A similarity becomes NaN (missing) if the clean map is
    degenerate, and the value in UNLIKE if only the other map is.
    """
    if other is not None:
        found = {name: values.masked_fill(other, UNLIKE[name]) for name, values in found.items()}
    return {name: values.masked_fill(clean, torch.nan) for name, values in found.items()}


def _top_count(maps: Tensor) -> int:
    return round(TOP_SHARE * maps[0].numel())


def _select(flat: Tensor, place: int) -> Tensor:
    """Return the value at index `place` of each sorted row, (N, n) -> (N,)."""
    if flat.is_cuda:
        return flat.kthvalue(place + 1).values
    # On a CPU numpy's selection is several times as fast as torch's.
    return torch.from_numpy(np.partition(flat.numpy(), place, axis=1)[:, place])
