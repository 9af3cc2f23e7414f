"""Noise: images with a growing share of values replaced by black or white, or with Gaussian noise added.

Pure: tensors in, tensors out.
"""

from collections.abc import Sequence

from torch import Tensor


def salt_pepper(images: Tensor, fields: Tensor, amounts: Sequence[float]) -> list[Tensor]:
    """Images (N, 3, H, W) with fields u and v (N, 2, 3, H, W), at each amount: 1 or 0 by v < 0.5 where u < amount."""
    u, salt = fields[:, 0], (fields[:, 1] < 0.5).to(images.dtype)
    # Interpolation is exact for weights of 0 and 1, and several times as fast as `where`.
    return [images.lerp(salt, (u < amount).to(images.dtype)) for amount in amounts]


def gaussian(images: Tensor, fields: Tensor, sigmas: Sequence[float]) -> list[Tensor]:
    """Images with standard normal fields (both (N, 3, H, W)): at each sigma x + sigma * n, clipped to [0, 1]."""
    return [(images + sigma * fields).clamp(0, 1) for sigma in sigmas]
