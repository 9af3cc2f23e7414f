"""A ReLU between the layer and the pooling: methods read the map after the ReLU and the gradient before it."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchcam.methods import CAM, GradCAM

from service.spec.cohort import Model, Preprocessing
from tests.support.exported_models import export
from tests.support.models import save_archive
from worker.models import architectures
from worker.models.classifier import Explained
from worker.models.load import load_classifier
from worker.models.precision import normalise
from worker.salience.cam import cam, gradcam

SIDE = 16
SMALL = Model(preprocessing=Preprocessing(size=(SIDE, SIDE)))


def images(side: int = SIDE) -> Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """Convolutions and a linear layer; subclasses define the operations between them."""

    layer = "features"

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 8, 3, 1, 1), nn.BatchNorm2d(8))
        self.drop, self.fc = nn.Dropout(0.5), nn.Linear(8, 3)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.pool(self.features(x)))
        return logits

    def pool(self, found: Tensor) -> Tensor:
        return found.mean((2, 3))


class Functional(Net):
    def pool(self, found: Tensor) -> Tensor:
        return F.relu(found).mean((2, 3))


class InPlace(Net):
    def pool(self, found: Tensor) -> Tensor:
        found = F.relu(found, inplace=True)
        return torch.flatten(F.adaptive_avg_pool2d(found, (1, 1)), 1)


class ByItsEffect(Net):
    """A ReLU that changes the map in place; nothing reads the ReLU's own output."""

    def pool(self, found: Tensor) -> Tensor:
        torch.relu_(found)
        return found.mean((2, 3))


class Dropped(Net):
    def pool(self, found: Tensor) -> Tensor:
        output: Tensor = self.drop(torch.relu(self.drop(found)))
        return output.mean((2, 3))


class MaxPooled(Net):
    def pool(self, found: Tensor) -> Tensor:
        found = torch.relu(found)
        return found.amax((2, 3)) + F.adaptive_max_pool2d(found, 1).flatten(1)


class Deep(Net):
    """A model whose gradients have no closed form."""

    def pool(self, found: Tensor) -> Tensor:
        return torch.tanh(torch.relu(found).mean((2, 3)))


class OwnModule(Net):
    """A ReLU that is a module and thus the default layer, while the spec names the layer before it."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU(inplace=True)

    def pool(self, found: Tensor) -> Tensor:
        rectified: Tensor = self.act(found)
        return rectified.mean((2, 3))


class Hardswish(Net):
    def pool(self, found: Tensor) -> Tensor:
        return F.hardswish(found).mean((2, 3))


class AfterPooling(Net):
    def pool(self, found: Tensor) -> Tensor:
        return torch.relu(found.mean((2, 3)))


class Summed(Net):
    """A ReLU whose input is not the output of the layer."""

    def forward(self, x: Tensor) -> Tensor:
        found = self.features(x) + x.mean((1, 2, 3), keepdim=True)
        logits: Tensor = self.fc(torch.relu(found).mean((2, 3)))
        return logits


class Beside(Net):
    """A layer that is followed by a ReLU of another tensor."""

    def forward(self, x: Tensor) -> Tensor:
        found = self.features(x)
        logits: Tensor = self.fc(found.mean((2, 3)) + torch.relu(x).mean((1, 2, 3))[:, None])
        return logits


class Inner(Net):
    """A layer with a ReLU after it, which a convolution follows instead of a pooling."""

    layer = "features.0"


RECTIFIED = [Functional, InPlace, ByItsEffect, Dropped, MaxPooled, Deep, OwnModule]
OTHERS = [Net, Hardswish, AfterPooling, Summed, Beside, Inner]


def trace(net: Net, folder: Path) -> Path:
    return save_archive(net, folder / "m.pt", SIDE)


def script(net: Net, folder: Path) -> Path:
    compiled: Any = torch.jit.script
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates scripting, but users' archives come from it
        compiled(net).save(str(folder / "m.pt"))
    return folder / "m.pt"


def explain(path: Path, net: Net) -> Explained:
    return load_classifier(path, SMALL.model_copy(update={"layer": net.layer}), 2).explain(images())


def at_the_layer(net: nn.Module, layer: str, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the layer's output, the largest logits' gradients there, and the logits, by hooks and autograd."""
    given: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        given.append(output)
        return output.clone()  # later operations may change the output in place

    with net.get_submodule(layer).register_forward_hook(keep), torch.enable_grad():
        logits = net(inputs.requires_grad_())
        (gradients,) = torch.autograd.grad(logits.amax(1).sum(), given[0])
    return given[0].detach(), gradients, logits.detach()


@pytest.mark.parametrize("save", [trace, script, lambda net, folder: export(net, folder / "m.pt2")])
@pytest.mark.parametrize("kind", [*RECTIFIED, *OTHERS])
def test_the_map_is_read_after_the_relu_and_the_gradient_before_it(
    tmp_path: Path, kind: type[Net], save: Callable[[Net, Path], Path]
) -> None:
    net = kind()
    found = explain(save(net, tmp_path), net)
    given, gradients, logits = at_the_layer(net, net.layer, normalise(images(), SMALL.preprocessing))
    assert (given < 0).any()
    assert torch.allclose(found.features, given.relu() if kind in RECTIFIED else given, atol=1e-5)
    assert torch.allclose(found.gradients, gradients, atol=1e-6)
    assert torch.allclose(found.logits, logits, atol=1e-5)


def test_the_maps_of_torchvisions_densenet_agree_with_torch_cam(tmp_path: Path) -> None:
    """The features are those of torch-cam. The gradients come from a hook on the layer's output, as in torch-cam 0.4
    and before: the authors of Crum et al. 2023 used 0.3, but torch-cam takes gradients after the ReLU since 0.5."""
    torch.manual_seed(1)
    net = architectures.build("torchvision/densenet121", 2).eval()
    torch.save(net.state_dict(), tmp_path / "m.pth")
    model = Model(architecture="torchvision/densenet121", preprocessing=Preprocessing(size=(96, 96)))
    loaded = load_classifier(tmp_path / "m.pth", model, 2)
    found, weights = loaded.explain(images(96)), loaded.head.class_weights()
    assert weights is not None
    ours = {"gradcam": gradcam(found.features, found.gradients), "cam": cam(found.features, weights[found.targets])}
    for n, inputs in enumerate(normalise(images(96), model.preprocessing)):
        target, gradients = int(found.targets[n]), list[Tensor]()
        with GradCAM(net, "features") as authors:
            watch = net.get_submodule("features").register_forward_hook(
                lambda _m, _i, out, kept=gradients: out.register_hook(kept.append) and None
            )
            net(inputs[None].requires_grad_())[0, target].backward()
            watch.remove()
            (read,) = authors.hook_a
            assert read is not None
        twin = (gradients[0].mean((2, 3), keepdim=True) * read).sum(1).relu()[0]
        assert torch.allclose(ours["gradcam"][n], twin, atol=1e-5 * float(twin.max()))
        with CAM(net, "features", "classifier") as authors, torch.no_grad():
            net(inputs[None])
            (twin,) = authors(target, normalized=False)
        assert torch.allclose(ours["cam"][n], twin[0], atol=1e-5 * float(twin.abs().max()))
