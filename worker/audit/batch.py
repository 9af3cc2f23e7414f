"""Pictures on their way through an audit together."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ImageBatch:
    """N pictures (N, 3, H, W), the digests of their files, their class numbers (N,), -1 for none.

    `human` are maps of where people look (N, H, W), None where the image set has none.
    """

    images: Tensor
    digests: Sequence[str]
    labels: Tensor
    human: Tensor | None = None
