"""Noise: pictures with a growing share of values replaced by black or white, or with Gaussian noise added.

Pure: tensors in, tensors out.
"""

from torch import Tensor


def salt_pepper(images: Tensor, fields: Tensor, amount: float) -> Tensor:
    """Pictures (N, 3, H, W) with fields u and v (N, 2, 3, H, W): where u < amount, 1 if v < 0.5, else 0."""
    u, v = fields[:, 0], fields[:, 1]
    return (v < 0.5).to(images.dtype).where(u < amount, images)


def gaussian(images: Tensor, fields: Tensor, sigma: float) -> Tensor:
    """Pictures with standard normal fields (both (N, 3, H, W)): x + sigma * n, clipped to [0, 1]."""
    return (images + sigma * fields).clamp(0, 1)
