import numpy as np
import pytest
import torch
from torch import Tensor

from worker.salience.cam import GRADIENT_METHODS, cam, eigencam


def made(seed: int, rectified: bool = False) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    features, gradients = (torch.randn(2, 5, 4, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    return (features.relu() if rectified else features), gradients


def slow(name: str, features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Compute the map of one image pixel by pixel, by definition. Features and gradients (K, h, w) -> (h, w)."""
    channels, height, width = features.shape
    out = np.zeros((height, width))
    for k in range(channels):
        a, g = features[k], gradients[k]
        weight = g.mean()
        if name == "gradcam++":
            alpha = np.zeros_like(g)
            for i, j in np.ndindex(g.shape):
                below = 2 * g[i, j] ** 2 + a.sum() * g[i, j] ** 3
                alpha[i, j] = g[i, j] ** 2 / below if below else 0
            weight = (alpha * np.maximum(g, 0)).sum()
        for i, j in np.ndindex(out.shape):
            by = {"hirescam": g[i, j], "layercam": max(g[i, j], 0)}.get(name, weight)
            out[i, j] += by * a[i, j]
    return np.maximum(out, 0)


@pytest.mark.parametrize("rectified", [True, False])
@pytest.mark.parametrize("name", ["gradcam", "gradcam++", "hirescam", "layercam"])
def test_each_method_agrees_with_its_definition(name: str, rectified: bool) -> None:
    features, gradients = made(0, rectified)
    found = GRADIENT_METHODS[name](features, gradients)
    for n in range(2):
        twin = slow(name, features[n].numpy(), gradients[n].numpy())
        assert np.allclose(found[n].numpy(), twin, atol=1e-10)


def test_zero_gradients_give_maps_of_zeros() -> None:
    features, _ = made(1)
    for name in ("gradcam", "gradcam++", "hirescam", "layercam"):
        assert not GRADIENT_METHODS[name](features, torch.zeros_like(features)).any()


def test_eigencam_agrees_with_numpys_projection_on_the_first_axis() -> None:
    features, gradients = made(2)
    for n, found in enumerate(eigencam(features, gradients)):
        rows = features[n].flatten(1).T.numpy()
        axis = np.linalg.svd(rows)[2][0]
        twin = (rows @ axis).reshape(4, 3)
        assert np.allclose(found.numpy(), twin * np.sign(twin.sum()), atol=1e-10)


def test_cam_weights_the_features_by_the_head_weights_of_the_target() -> None:
    features, _ = made(3)
    weights = torch.randn(2, 5, dtype=torch.float64)
    found = cam(features, weights)
    for n in range(2):
        assert torch.allclose(found[n], sum((weights[n, k] * features[n, k] for k in range(5)), torch.zeros(4, 3)))
