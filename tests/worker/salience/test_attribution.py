import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.support.models import TinyNet
from worker.salience.attribution import integrated_gradients, random_masks, rise, saliency


@pytest.fixture(scope="module")
def net() -> nn.Module:
    return TinyNet(3).requires_grad_(False)


def make_images() -> Tensor:
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def gradient(net: nn.Module, image: Tensor, target: int) -> Tensor:
    leaf = image.clone().requires_grad_()
    (found,) = torch.autograd.grad(net(leaf[None])[0, target], leaf)
    return found


def test_saliency_is_the_largest_absolute_gradient_over_channels(net: nn.Module) -> None:
    found = saliency(net, make_images(), torch.tensor([0, 1]))
    for n, target in enumerate((0, 1)):
        assert torch.allclose(found[n], gradient(net, make_images()[n], target).abs().amax(0), atol=1e-6)


def test_integrated_gradients_use_gauss_legendre_quadrature_from_black(net: nn.Module) -> None:
    found = integrated_gradients(net, make_images(), torch.tensor([1, 0]), steps=6)
    places, weights = np.polynomial.legendre.leggauss(6)
    for n, target in enumerate((1, 0)):
        total = torch.zeros(3, 16, 16)
        for place, weight in zip(places, weights, strict=True):
            total += weight / 2 * gradient(net, (place + 1) / 2 * make_images()[n], target)
        assert torch.allclose(found[n], (make_images()[n] * total).sum(0).abs(), atol=1e-5)


def test_attributions_do_not_change_the_images(net: nn.Module) -> None:
    images = make_images()
    saliency(net, images, torch.tensor([0, 0]))
    integrated_gradients(net, images, torch.tensor([0, 0]), steps=2)
    assert torch.equal(images, make_images())
    assert not images.requires_grad


def test_rise_averages_masks_weighted_by_the_targets_probability(net: nn.Module) -> None:
    masks = random_masks(9, 4, 0.5, 0, (16, 16))

    def predict(images: Tensor) -> Tensor:
        assert len(images) == 2
        found: Tensor = net(images).softmax(1)
        return found

    found = rise(predict, make_images(), torch.tensor([0, 1]), masks)
    for n, target in enumerate((0, 1)):
        total, seen = torch.zeros(16, 16), torch.zeros(16, 16)
        for mask in masks:
            total += net((make_images()[n] * mask)[None]).softmax(1)[0, target] * mask
            seen += mask
        assert torch.allclose(found[n], total / seen, atol=1e-5)


def test_rises_masks_depend_on_the_seed_and_have_the_given_mean() -> None:
    masks = random_masks(400, 5, 0.3, 7, (20, 24))
    random_masks.cache_clear()
    assert torch.equal(masks, random_masks(400, 5, 0.3, 7, (20, 24)))
    assert not torch.equal(masks, random_masks(400, 5, 0.3, 8, (20, 24)))
    assert masks.shape == (400, 20, 24)
    assert 0 <= masks.min() <= masks.max() <= 1
    assert abs(masks.mean().item() - 0.3) < 0.03


def test_the_rise_map_of_a_model_that_ignores_the_image_is_zero() -> None:
    def predict(images: Tensor) -> Tensor:
        return torch.tensor([0.3, 0.7]).expand(len(images), 2)

    masks = random_masks(64, 7, 0.5, 0, (16, 16))
    maps = rise(predict, torch.rand(3, 3, 16, 16), torch.tensor([0, 1, 1]), masks)
    assert not maps.any()
