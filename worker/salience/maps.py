"""Normalises raw maps to [0, 1] and resizes them to the input's size.

Pure: tensors in, tensors out. Source: Crum et al. 2023, arXiv 2303.11969.
"""

from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

FLOAT32, HALF = 1e-6, 1e-3
# The largest range of a degenerate map, relative to its largest absolute value, by the forward pass's precision.
MIN_RANGES: Mapping[str, float] = {"float32": FLOAT32, "tf32": FLOAT32, "bfloat16": HALF, "float16": HALF}


def normalise_maps(raw: Tensor, min_range: float = FLOAT32) -> tuple[Tensor, Tensor]:
    """Raw maps (N, h, w) -> native maps in [0, 1] (N, h, w), and which are degenerate (N,).

    Min-max normalisation. A map is degenerate if max - min <= min_range * max(|max|, |min|), since at this precision it
    is constant, or if a value is not finite. It becomes all zeros.
    """
    low, high = raw.amin((1, 2)), raw.amax((1, 2))
    span = high - low
    largest = torch.maximum(high.abs(), low.abs())
    degenerate = ~(span.isfinite() & (span > min_range * largest))
    scaled = (raw - low[:, None, None]) / span.masked_fill(degenerate, 1)[:, None, None]
    return scaled.masked_fill(degenerate[:, None, None], 0).clamp(0, 1), degenerate


def resize_maps(native: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize native maps (N, h, w) to maps (N, H, W) in [0, 1]: bicubic with antialiasing (a = -0.5), clipped.

    `F.interpolate` is separable and linear, so two matrix products with its weights give the same, and faster.
    """
    sides = zip(native.shape[1:], size, strict=True)
    rows, columns = (_weights(before, after, native.dtype, native.device) for before, after in sides)
    return (rows @ native @ columns.T).clamp_(0, 1)


@lru_cache(maxsize=32)
def _weights(before: int, after: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the weight of each of `before` input pixels in each of `after` output pixels, (after, before)."""
    each = torch.eye(before, dtype=dtype)[:, None, :, None].expand(-1, -1, -1, 2)
    resized = F.interpolate(each, (after, 2), mode="bicubic", antialias=True, align_corners=False)
    return resized[:, 0, :, 0].T.contiguous().to(device)
