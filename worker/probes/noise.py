"""Noise probes: they replace a share of an image's values by black or white, or add Gaussian noise.

Pure: tensors in, tensors out.
"""

from collections.abc import Sequence

from torch import Tensor


def salt_pepper(images: Tensor, fields: Tensor, amounts: Sequence[float]) -> list[Tensor]:
    """Return images with salt-and-pepper noise, one tensor (N, 3, H, W) for each amount in [0, 1].

    `fields` (N, 2, 3, H, W) are uniform in [0, 1): u selects values (u < amount), and v < 0.5 makes them 1, or else 0.
    """
    u, salt = fields[:, 0], (fields[:, 1] < 0.5).to(images.dtype)
    # Interpolation is exact for weights of 0 and 1, and several times as fast as `where`.
    return [images.lerp(salt, (u < amount).to(images.dtype)) for amount in amounts]


def gaussian(images: Tensor, fields: Tensor, sigmas: Sequence[float]) -> list[Tensor]:
    """Return images + sigma * fields, clipped to [0, 1], one tensor (N, 3, H, W) for each sigma.

    `fields` (N, 3, H, W) are standard normal.
    """
    return [(images + sigma * fields).clamp(0, 1) for sigma in sigmas]
