"""Both entropies of a map: how many levels it uses, and how widely it spreads.

Pure: tensors in, tensors out. Source: Crum et al. 2023 (Salience Entropy); Shannon 1948.
"""

import math

import torch
from torch import Tensor

from worker.measures.reduction import mean_of

LEVELS = 256


def entropy(maps: Tensor) -> Tensor:
    """Entropy of each map's grey levels, divided by its largest possible value. (N, h, w) in [0, 1] -> (N,) in [0, 1].

    Shannon entropy in bits of the histogram of floor(255 * m), over log2(min(h * w, 256)). A map of zeros gives 0,
    which Explanation replaces by NaN.
    """
    levels = (255 * maps).floor().long().flatten(1)
    counts = torch.zeros(len(maps), LEVELS, dtype=torch.float64, device=maps.device)
    counts.scatter_add_(1, levels, torch.ones_like(levels, dtype=torch.float64))
    shares = counts / levels.shape[1]
    return (_bits(shares) / math.log2(min(levels.shape[1], LEVELS))).to(maps.dtype)


def entropy_spatial(maps: Tensor) -> Tensor:
    """Entropy of each map as a probability distribution over its pixels. (N, h, w) in [0, 1] -> (N,) in [0, 1].

    With p = m / sum(m): -sum p log2 p / log2(h * w). A map of zeros gives 1, which Explanation replaces by NaN.
    """
    flat = maps.flatten(1).double()
    total = (mean_of(maps.double()) * flat.shape[1])[:, None]
    spread = _bits(flat / total.masked_fill(total == 0, 1)) / math.log2(flat.shape[1])
    return torch.where(total[:, 0] == 0, 1.0, spread.clamp(0, 1)).to(maps.dtype)


def _bits(shares: Tensor) -> Tensor:
    """Return -sum(p * log2(p)) over the last dimension, in which terms with p = 0 count as 0."""
    bits: Tensor = torch.special.entr(shares).sum(1) / math.log(2)
    return bits
