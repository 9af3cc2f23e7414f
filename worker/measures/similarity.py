"""Similarity of two maps: SSIM, Pearson correlation, mean squared error, overlap of the most salient fifth.

Pure: tensors in, tensors out; each pair's numbers depend on that pair alone, to the last bit.
A valid mask (H, W) restricts all four: SSIM to windows wholly valid. One that is a rectangle is a crop of both maps.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

WINDOW, K1, K2 = 7, 0.01, 0.03
TOP_SHARE = 0.2


def ssim(a: Tensor, b: Tensor, valid: Tensor | None = None) -> Tensor:
    """Structural similarity of maps in [0, 1]. Both (N, H, W) -> (N,), at most 1. Wang et al. 2004.

    As scikit-image's `structural_similarity(a, b, data_range=1)`: uniform window of 7 (on a smaller map the
    largest odd number that fits), sample covariance, mean over the windows wholly inside.
    """
    window = min(WINDOW, *(side - 1 + side % 2 for side in a.shape[1:]))
    # Moments about the two maps' mean lose fewer digits; covariances do not mind the shift.
    shift = ((mean_of(a) + mean_of(b)) / 2)[:, None, None]
    x, y = a - shift, b - shift
    ux, uy, uxx, uyy, uxy = (_box_mean(each, window) for each in (x, y, x * x, y * y, x * y))
    sample, c1, c2 = window**2 / max(window**2 - 1, 1), K1**2, K2**2
    # Not fused: of a window of one, the variance is zero to the last bit.
    products, squares = ux * uy, ux * ux + uy * uy
    covariance = uxy.sub_(products).mul_(2 * sample).add_(c2)
    variances = uxx.add_(uyy).sub_(squares).mul_(sample).add_(c2)
    # With the shift s: (ux + s)(uy + s) = ux uy + s (ux + uy) + s^2, and so with the squares.
    shifted = ux.add_(uy).mul_(shift).add_(shift * shift)
    means = products.add_(shifted).mul_(2).add_(c1)
    values = means.mul_(covariance).div_(squares.add_(shifted, alpha=2).add_(c1).mul_(variances))
    if valid is None:
        return mean_of(values)
    whole = _window_sum(_window_sum(valid.float()[None], 1, window), 2, window)[0] == window**2
    return mean_of(values[:, whole][:, None])


def pearson(a: Tensor, b: Tensor) -> Tensor:
    """Linear correlation. Both (N, H, W) -> (N,) in [-1, 1]; both constant: 1, one constant: 0."""
    flat_a, flat_b = _is_constant(a), _is_constant(b)
    x, y = a - mean_of(a)[:, None, None], b - mean_of(b)[:, None, None]
    scale = (mean_of(x * x) * mean_of(y * y)).sqrt()
    value = (mean_of(x * y) / scale.masked_fill(flat_a | flat_b, 1)).clamp(-1, 1)
    return torch.where(flat_a | flat_b, (flat_a & flat_b).to(value.dtype), value)


def mse(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared difference. Both (N, H, W) -> (N,)."""
    return mean_of((a - b).square())


def iou20(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of the 20 % most salient pixels. Both (N, H, W) -> (N,) in [0, 1]."""
    count = round(TOP_SHARE * a[0].numel())
    if count == 0:
        return torch.ones_like(a[:, 0, 0])
    both = (_top(a, count) * _top(b, count)).sum((1, 2))
    return both / (2 * count - both)


POINTWISE: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {"pearson": pearson, "mse": mse, "iou20": iou20}
SIMILARITIES = ("ssim", *POINTWISE)


def similarities(a: Tensor, b: Tensor, valid: Tensor | None = None) -> dict[str, Tensor]:
    """All four of each pair, over the pixels that a mask (H, W) calls valid. Both (N, H, W) -> name: (N,)."""
    # The others ask for no neighbours, so that the valid pixels may stand in a row.
    rest = (a, b) if valid is None else (a[:, valid][:, None], b[:, valid][:, None])
    return {"ssim": ssim(a, b, valid)} | {name: similarity(*rest) for name, similarity in POINTWISE.items()}


def mean_of(maps: Tensor) -> Tensor:
    """Mean of each map, (N, H, W) -> (N,), row by row: one whole sum of a lone map would be split among threads."""
    return maps.sum(2).sum(1) / (maps.shape[1] * maps.shape[2])


def mean_over(values: Sequence[Tensor]) -> Tensor:
    """The mean of equally shaped tensors in float64, summed in their order."""
    return torch.stack([value.double() for value in values]).sum(0) / len(values)


def _box_mean(maps: Tensor, window: int) -> Tensor:
    return _window_sum(_window_sum(maps, 1, window), 2, window) / (window * window)


def _window_sum(values: Tensor, dim: int, window: int) -> Tensor:
    """Sums of `window` neighbours, put together from sums of 1, 2, 4 ... of them."""
    size = values.shape[dim] - window + 1
    total, offset, width = values.narrow(dim, 0, size), 1, 1  # a window is odd, so one neighbour is part of it
    while 2 * width <= window:
        inner = values.shape[dim] - width
        values, width = values.narrow(dim, 0, inner) + values.narrow(dim, width, inner), 2 * width
        if window & width:
            total, offset = total + values.narrow(dim, offset, size), offset + width
    return total


def _is_constant(maps: Tensor) -> Tensor:
    return maps.amax((1, 2)) == maps.amin((1, 2))


def _top(maps: Tensor, count: int) -> Tensor:
    """(N, H, W) -> (N, H, W): 1 for the `count` most salient pixels, of equals those with the lower index, else 0."""
    flat = maps.flatten(1)
    least = flat.kthvalue(flat.shape[1] - count + 1).values[:, None]
    top = (flat >= least).to(flat.dtype)
    for row in (top.sum(1) > count).nonzero()[:, 0].tolist():
        equal = (flat[row] == least[row]).nonzero()[:, 0]
        surplus = int(top[row].sum()) - count
        top[row, equal[len(equal) - surplus :]] = 0
    return top.view(maps.shape)
