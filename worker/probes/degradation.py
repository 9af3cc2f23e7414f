"""Salience-guided degradation: blurs an image strongly where a map is low, and not at all where it is highest.

Pure: tensors in, tensors out. Source: Crum et al. 2023 (Salience-Based Image Degradation).
"""

from functools import lru_cache

import torch
from torch import Tensor

from worker.probes.filters import bank, filter_matrix, filter_radius

GUIDE_SIGMA = 5.0
TOP_LEVEL = 100  # the highest level of salience, which stands for 10; each level is a step of 0.1
# The sigma of the blur in pixels for each level from 0. The highest levels have no blur and are left out.
SIGMAS = tuple(
    sigma for level in range(TOP_LEVEL + 1) if filter_radius(sigma := (10 - level / 10) ** 4 / 1000) > 0
)  # fmt: skip


def guided_blur(image: Tensor, guides: Tensor) -> Tensor:
    """Blur an image (3, H, W) by each of G maps (G, H, W) in [0, 1] -> (G, 3, H, W).

    Each map is smoothed (sigma 5), scaled to a maximum of 10 and rounded to 0.1, which gives the level s of each pixel.
    The pixel takes its value from the image filtered with sigma = (10 - s)^4 / 10^3. A map of zeros gives s = 0.
    """
    size = (image.shape[1], image.shape[2])
    filters = bank(SIGMAS, size, image.dtype, image.device)
    return filters.pick(image, guide_levels(guides).clamp(max=filters.count))


def rank(salience: Tensor, ties: Tensor, most: bool) -> Tensor:
    """Return the indices of a map's pixels (H, W) -> (H * W,), the most salient pixel first, or last without `most`.

    Pixels of equal salience have the order of the permutation `ties` (H * W,).
    """
    order = salience.flatten()[ties].sort(descending=most, stable=True).indices
    return ties[order]


def blur_ranked(image: Tensor, blurred: Tensor, ranked: Tensor, share: float) -> Tensor:
    """Return an image (3, H, W) in which the first `share` of the ranked pixels come from its blurred version."""
    chosen = ranked[: round(share * len(ranked))]
    out = image.flatten(1).clone()
    out[:, chosen] = blurred.flatten(1)[:, chosen]
    return out.view(image.shape)


def guide_levels(maps: Tensor) -> Tensor:
    """Convert maps (N, H, W) to levels (N, H, W) in tenths, 0 to 100."""
    rows, columns = (_guide_filter(side, maps.device) for side in maps.shape[1:])
    smooth = torch.stack([rows @ each @ columns.T for each in maps.double()])
    peak = smooth.amax((1, 2), keepdim=True)
    scaled = smooth / peak.masked_fill(peak == 0, 1)
    return (TOP_LEVEL * scaled).round().long()


@lru_cache(maxsize=16)
def _guide_filter(size: int, device: torch.device) -> Tensor:
    return filter_matrix(size, GUIDE_SIGMA).to(device)
