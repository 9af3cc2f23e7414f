"""Similarity of two maps: SSIM, Pearson correlation, mean squared error, overlap of the most salient fifth.

Pure: tensors in, tensors out; each pair's numbers depend on that pair alone, to the last bit.
A rectangular valid mask is a crop of both maps: SSIM's windows are then those wholly inside.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

WINDOW, K1, K2 = 7, 0.01, 0.03
TOP_SHARE = 0.2


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity of maps in [0, 1]. Both (N, H, W) -> (N,), at most 1. Wang et al. 2004.

    As scikit-image's `structural_similarity(a, b, data_range=1)`: uniform window of 7 (on a smaller map the
    largest odd number that fits), sample covariance, mean over the windows wholly inside.
    """
    window = min(WINDOW, *(side - 1 + side % 2 for side in a.shape[1:]))
    count = window * window
    # Moments about each map's own mean lose fewer digits; covariances do not mind the shift.
    mean_a, mean_b = mean_of(a)[:, None, None], mean_of(b)[:, None, None]
    x, y = a - mean_a, b - mean_b
    ux, uy, uxx, uyy, uxy = (_box_mean(each, window) for each in (x, y, x * x, y * y, x * y))
    sample = count / max(count - 1, 1)
    vx, vy, vxy = sample * (uxx - ux * ux), sample * (uyy - uy * uy), sample * (uxy - ux * uy)
    ux, uy = ux + mean_a, uy + mean_b
    c1, c2 = K1**2, K2**2
    top = (2 * ux * uy + c1) * (2 * vxy + c2)
    return mean_of(top / ((ux * ux + uy * uy + c1) * (vx + vy + c2)))


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
    top_a, top_b = _top(a), _top(b)
    both, either = (top_a & top_b).sum(1), (top_a | top_b).sum(1)
    return torch.where(either > 0, both / either.clamp(min=1), 1.0).to(a.dtype)


SIMILARITIES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "ssim": ssim,
    "pearson": pearson,
    "mse": mse,
    "iou20": iou20,
}


def similarities(a: Tensor, b: Tensor) -> dict[str, Tensor]:
    """All four of each pair. Both (N, H, W) -> name: (N,)."""
    return {name: similarity(a, b) for name, similarity in SIMILARITIES.items()}


def mean_of(maps: Tensor) -> Tensor:
    """Mean of each map, (N, H, W) -> (N,), row by row: one whole sum of a lone map would be split among threads."""
    return maps.sum(2).sum(1) / (maps.shape[1] * maps.shape[2])


def mean_over(values: Sequence[Tensor]) -> Tensor:
    """The mean of equally shaped tensors in float64, summed in their order."""
    return torch.stack([value.double() for value in values]).sum(0) / len(values)


def _box_mean(maps: Tensor, window: int) -> Tensor:
    height, width = maps.shape[1] - window + 1, maps.shape[2] - window + 1
    rows = sum(maps[:, offset : offset + height] for offset in range(window))
    assert isinstance(rows, Tensor)
    cells = sum(rows[:, :, offset : offset + width] for offset in range(window))
    assert isinstance(cells, Tensor)
    return cells / (window * window)


def _is_constant(maps: Tensor) -> Tensor:
    return maps.amax((1, 2)) == maps.amin((1, 2))


def _top(maps: Tensor) -> Tensor:
    """(N, H, W) -> (N, H * W): the most salient fifth, of equals those with the lower index."""
    flat = maps.flatten(1)
    count = round(TOP_SHARE * flat.shape[1])
    if count == 0:
        return torch.zeros_like(flat, dtype=torch.bool)
    least = flat.topk(count, sorted=True).values[:, -1:]
    above, equal = flat > least, flat == least
    room = count - above.sum(1, keepdim=True)
    return above | (equal & (equal.cumsum(1) <= room))
