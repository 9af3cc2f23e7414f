"""Salience methods over a feature map: raw maps from activations and gradients, or from the head's weights.

Pure: tensors in, tensors out. All methods except `cam` and `eigencam` end in a ReLU, so evidence against the target is
not salient.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor


def gradcam(features: Tensor, gradients: Tensor) -> Tensor:
    """ReLU(sum_k mean_ij(dY/dA_kij) * A_k). Two inputs (N, K, h, w) -> maps (N, h, w). Selvaraju et al. 2017."""
    return (gradients.mean((2, 3), keepdim=True) * features).sum(1).relu()


def diffgradcam(features: Tensor, gradients: Tensor, other_gradients: Tensor) -> Tensor:
    """Grad-CAM of Y - Y', the target's logit minus that of the strongest other class.

    Three inputs (N, K, h, w) -> maps (N, h, w). `other_gradients` are those of Y'. Piland, Sweet and
    Czajka 2025, arXiv 2506.08514.
    """
    return gradcam(features, gradients - other_gradients)


def gradcam_plus_plus(features: Tensor, gradients: Tensor) -> Tensor:
    """Grad-CAM with each place weighted by how much it raises the target. Two inputs (N, K, h, w) -> maps (N, h, w).

    w_k = sum_ij alpha_kij * ReLU(g_kij), alpha = g^2 / (2 g^2 + sum_ab(A_kab) * g^3); Chattopadhay et al.
    2018, equations 10 and 19, without the factor exp(Y), since maps are normalised.
    """
    squares = gradients.square()
    below = 2 * squares + features.sum((2, 3), keepdim=True) * squares * gradients
    alphas = torch.where(below != 0, squares / below.masked_fill(below == 0, 1), 0)
    weights = (alphas * gradients.relu()).sum((2, 3), keepdim=True)
    return (weights * features).sum(1).relu()


def hirescam(features: Tensor, gradients: Tensor) -> Tensor:
    """ReLU(sum_k dY/dA_k * A_k), elementwise. Two inputs (N, K, h, w) -> maps (N, h, w). Draelos and Carin 2020."""
    return (gradients * features).sum(1).relu()


def layercam(features: Tensor, gradients: Tensor) -> Tensor:
    """ReLU(sum_k ReLU(dY/dA_k) * A_k). Two inputs (N, K, h, w) -> maps (N, h, w). Jiang et al. 2021."""
    return (gradients.relu() * features).sum(1).relu()


def eigencam(features: Tensor, _gradients: Tensor) -> Tensor:
    """Project the features on their first principal axis; the class has no influence. (N, K, h, w) -> (N, h, w).

    Muhammad and Yeasin 2020: A V_1 of the singular value decomposition of uncentred features, with the sign that gives
    the larger sum.
    """
    rows = features.flatten(2).transpose(1, 2).double()
    left, sizes, _ = torch.linalg.svd(rows, full_matrices=False)
    first = left[:, :, 0] * sizes[:, :1]
    signs = torch.where(first.sum(1, keepdim=True) < 0, -1.0, 1.0)
    projected: Tensor = first * signs
    return projected.to(features.dtype).reshape(len(features), *features.shape[2:])


def cam(features: Tensor, weights: Tensor) -> Tensor:
    """sum_k W[c, k] * A_k, without ReLU and bias. Features (N, K, h, w), the targets' weights (N, K) -> (N, h, w).

    Zhou et al. 2016. CYBORG's loss uses this map.
    """
    return (weights[:, :, None, None] * features).sum(1)


# Methods that take features and gradients.
GRADIENT_METHODS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "gradcam": gradcam,
    "gradcam++": gradcam_plus_plus,
    "hirescam": hirescam,
    "layercam": layercam,
    "eigencam": eigencam,
}
NEEDS_LAYER = frozenset({"cam", "diffgradcam", *GRADIENT_METHODS})
NEEDS_LINEAR_HEAD = frozenset({"cam"})
# All methods except black-box ones, which only read the model's outputs.
NEEDS_GRADIENTS = frozenset({"saliency", "integrated_gradients", *NEEDS_LAYER})
