"""A batch of images that are audited together."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ImageBatch:
    """N images (N, 3, H, W), the digests of their files, and their class numbers (N,), -1 for an image without a class.

    `human` are the human salience maps (N, H, W), None if the image set has none.
    """

    images: Tensor
    digests: Sequence[str]
    labels: Tensor
    human: Tensor | None = None
