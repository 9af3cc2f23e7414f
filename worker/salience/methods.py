"""Salience methods: feature maps, gradients or weights to raw maps.

Pure: tensors in, tensors out.
"""

from collections.abc import Callable, Mapping

from torch import Tensor


def gradcam(features: Tensor, gradients: Tensor) -> Tensor:
    """ReLU(sum_k mean_ij(dY/dA_kij) * A_k). Both (N, K, h, w) -> (N, h, w). Selvaraju et al. 2017."""
    return (gradients.mean((2, 3), keepdim=True) * features).sum(1).relu()


def cam(features: Tensor, weights: Tensor) -> Tensor:
    """sum_k W[c, k] * A_k, without ReLU and bias. (N, K, h, w) and the targets' rows (N, K) -> (N, h, w).

    Zhou et al. 2016; the map in CYBORG's loss.
    """
    return (weights[:, :, None, None] * features).sum(1)


# What a method takes beside the feature maps.
METHODS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {"gradcam": gradcam, "cam": cam}
NEEDS_HEAD_WEIGHTS = frozenset({"cam"})
