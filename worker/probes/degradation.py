"""Salience-guided degradation: blur where a map is low, none where it is highest.

Pure. Filters are scipy's `gaussian_filter`: truncated at 4 sigma, mode reflect (the edge pixel repeated).
Source: Crum et al. 2023 (Salience-Based Image Degradation).
"""

from functools import lru_cache

import torch
from torch import Tensor

GUIDE_SIGMA, TRUNCATE = 5.0, 4.0
TOP_LEVEL = 100  # levels of 0.1 up to 10


def guided_blur(images: Tensor, maps: Tensor) -> Tensor:
    """Blur pictures (N, 3, H, W) by maps (N, H, W) in [0, 1] -> (N, 3, H, W).

    The map is smoothed (sigma 5), scaled to a maximum of 10 and rounded to 0.1; at level s a pixel takes its
    value from the picture filtered with sigma = (10 - s)^4 / 10^3. Where the smoothed map is zero, s = 0.
    """
    levels = guide_levels(maps)
    return torch.stack([_blur_one(image, level) for image, level in zip(images, levels, strict=True)])


def guide_levels(maps: Tensor) -> Tensor:
    """Maps (N, H, W) -> levels in tenths, (N, H, W) of 0 to 100."""
    rows = filter_matrix(maps.shape[1], GUIDE_SIGMA).to(maps.device)
    columns = filter_matrix(maps.shape[2], GUIDE_SIGMA).to(maps.device)
    smooth = torch.stack([rows @ each @ columns.T for each in maps.double()])
    peak = smooth.amax((1, 2), keepdim=True)
    scaled = smooth / peak.masked_fill(peak == 0, 1)
    return (TOP_LEVEL * scaled).round().long()


def _blur_one(image: Tensor, levels: Tensor) -> Tensor:
    """(3, H, W) and (H, W) -> (3, H, W)."""
    out = image.clone()
    for level in torch.unique(levels).tolist():
        sigma = (10 - level / 10) ** 4 / 1000
        if _radius(sigma) == 0:
            continue
        # Only the rows and columns between which this level occurs are wanted.
        where = levels == level
        rows, columns = _span(where.any(1)), _span(where.any(0))
        down = filter_matrix(image.shape[1], sigma)[rows].to(image)
        across = filter_matrix(image.shape[2], sigma)[columns].to(image)
        filtered = down @ image @ across.T
        part = out[:, rows, columns]
        part.copy_(torch.where(where[rows, columns], filtered, part))
    return out


def _span(used: Tensor) -> slice:
    places = used.nonzero()
    return slice(int(places[0]), int(places[-1]) + 1)


def _radius(sigma: float) -> int:
    return int(TRUNCATE * sigma + 0.5)


@lru_cache(maxsize=256)
def filter_matrix(size: int, sigma: float) -> Tensor:
    """The 1-D Gaussian filter with reflection as a float64 matrix (size, size): filtered = matrix @ values."""
    radius = _radius(sigma)
    offsets = torch.arange(-radius, radius + 1)
    taps = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    taps = taps / taps.sum()
    places = torch.arange(size)[:, None] + offsets
    places = places % (2 * size)
    places = torch.where(places < size, places, 2 * size - 1 - places)
    matrix = torch.zeros(size, size, dtype=torch.float64)
    return matrix.scatter_add_(1, places, taps.expand(size, -1))
