"""Native maps and maps of the input's size: min-max normalised, degenerate ones all zero.

Pure: tensors in, tensors out. Source: Crum et al. 2023, arXiv 2303.11969.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

DEGENERATE = 1e-12


def normalise_maps(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Raw maps (N, h, w) -> native maps in [0, 1] (N, h, w), and which are degenerate (N,).

    A map whose range is below 1e-12 * max(1, |max|) is degenerate: all zeros.
    """
    low, high = raw.amin((1, 2)), raw.amax((1, 2))
    span = high - low
    degenerate = ~(span >= DEGENERATE * high.abs().clamp(min=1))  # a map of NaN is degenerate too
    scaled = (raw - low[:, None, None]) / span.masked_fill(degenerate, 1)[:, None, None]
    return scaled.masked_fill(degenerate[:, None, None], 0).clamp(0, 1), degenerate


def resize_maps(native: Tensor, size: tuple[int, int]) -> Tensor:
    """Native maps (N, h, w) -> maps (N, H, W) in [0, 1]: bicubic with antialias (a = -0.5), clipped."""
    resized = F.interpolate(native[:, None], size, mode="bicubic", antialias=True, align_corners=False)
    return torch.clamp(resized[:, 0], 0, 1)
