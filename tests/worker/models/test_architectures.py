"""Tests that the default maps of all architectures agree with maps by hooks and autograd, which need no graph."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from service.spec.cohort import Model, Preprocessing
from tests.support.hooked_models import explain_by_hooks
from tests.support.models import save_archive
from worker.models import architectures
from worker.models.load import load_classifier
from worker.models.precision import normalise
from worker.salience.cam import cam

# The sides of inputs that need more than 64 pixels for a map of several pixels that is not almost empty.
SIDES = {"alexnet": 96, "inception_v3": 128, "squeezenet1_1": 96}
# test_load.py tests resnet18, densenet121, vgg11 and mobilenet_v3_small.
TORCHVISION = [
    "alexnet", "efficientnet_b0", "googlenet", "inception_v3", "mnasnet0_5", "mobilenet_v2",
    "regnet_x_400mf", "resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_1",
]  # fmt: skip
TIMM = [
    "convnext_atto", "dla46_c", "edgenext_xx_small", "ese_vovnet19b_slim_dw", "fasternet_t0", "lcnet_050",
    "mobilenetv3_small_050", "regnetx_002", "resnet10t", "test_byobnet", "test_nfnet", "tinynet_e",
]  # fmt: skip


@pytest.mark.parametrize("name", [*(f"torchvision/{each}" for each in TORCHVISION), *(f"timm/{each}" for each in TIMM)])
def test_the_default_map_agrees_with_hooks_and_autograd(tmp_path: Path, name: str) -> None:
    torch.manual_seed(1)
    net = architectures.build(name, 3).eval()
    torch.save({"state_dict": net.state_dict()}, tmp_path / "m.pth")
    assert_equal_maps(net, tmp_path / "m.pth", SIDES.get(name.partition("/")[2], 64), name)


def wide_resnet() -> nn.Module:
    architectures.import_torchvision()
    from torchvision.models.resnet import Bottleneck, ResNet

    net: nn.Module = ResNet(Bottleneck, [1, 1, 1, 1], num_classes=3, width_per_group=128)
    return net


def convnext() -> nn.Module:
    architectures.import_torchvision()
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    net: nn.Module = ConvNeXt([CNBlockConfig(16, 32, 1), CNBlockConfig(32, None, 1)], num_classes=3)
    return net


@pytest.mark.parametrize("make", [wide_resnet, convnext])
def test_the_default_map_of_a_small_wide_resnet_or_convnext_agrees_with_a_twin_by_hooks(
    tmp_path: Path, make: Callable[[], nn.Module]
) -> None:
    torch.manual_seed(1)
    net = make().eval()
    assert_equal_maps(net, save_archive(net, tmp_path / "m.pt", 64), 64)


def assert_equal_maps(net: nn.Module, path: Path, side: int, architecture: str | None = None) -> None:
    model = Model(architecture=architecture, preprocessing=Preprocessing(size=(side, side)))
    loaded = load_classifier(path, model, 2)
    images = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    found, twin = loaded.explain(images), explain_by_hooks(net, normalise(images, model.preprocessing))
    assert torch.allclose(found.logits, twin.logits, rtol=1e-4, atol=1e-4 * float(twin.logits.abs().max()))
    # The weighted sums of Grad-CAM before its ReLU.
    ours, theirs = (cam(each.features, each.gradients.mean((2, 3))) for each in (found, twin))
    scale = theirs.abs().amax((1, 2), keepdim=True)
    assert (scale > 0).all()
    assert torch.allclose(ours / scale, theirs / scale, atol=1e-4)
