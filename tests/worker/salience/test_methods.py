import torch
from torch.nn import functional as F

from worker.salience.methods import cam, gradcam


def test_gradcam_weighs_each_channel_by_its_mean_gradient() -> None:
    features, gradients = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    for n, found in enumerate(gradcam(features, gradients)):
        twin = sum(gradients[n, k].mean() * features[n, k] for k in range(3))
        assert isinstance(twin, torch.Tensor)
        assert torch.allclose(found, F.relu(twin), atol=1e-6)


def test_cam_weighs_each_channel_by_the_class_weight_and_keeps_the_sign() -> None:
    features, weights = torch.randn(2, 3, 4, 5), torch.randn(2, 3)
    for n, found in enumerate(cam(features, weights)):
        twin = sum(weights[n, k] * features[n, k] for k in range(3))
        assert isinstance(twin, torch.Tensor)
        assert torch.allclose(found, twin, atol=1e-6)
    assert (cam(features, weights) < 0).any()
