import pytest
import torch
from torch import Tensor, nn

from worker.models import graph
from worker.models.fusion import can_fuse, fuse_activations
from worker.models.trace import trace

JOINED = "mkldnn::_convolution_pointwise"


class Net(nn.Module):
    """Convolutions with several activations after them; one output is used twice, and one convolution is transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(8, 8, 3, stride=2, groups=4, bias=False), nn.Hardswish(),
            nn.Conv2d(8, 8, 1), nn.SiLU(),
            nn.Conv2d(8, 8, 1), nn.Sigmoid(),
        )  # fmt: skip
        self.twice, self.back = nn.Conv2d(8, 8, 1), nn.ConvTranspose2d(8, 8, 2, 2)
        self.features = nn.Conv2d(8, 8, 3)

    def forward(self, images: Tensor) -> Tensor:
        twice = self.twice(self.stages(images))
        pooled: Tensor = self.features(self.back(twice + twice.relu()).relu()).mean((2, 3))
        return pooled


def test_fused_convolutions_give_the_same_numbers() -> None:
    torch.manual_seed(0)
    example = torch.rand(3, 3, 16, 20)
    frozen = graph.freeze(trace(Net(), example))
    kinds: list[str] = []

    def fuse(found: graph.Graph) -> None:
        fuse_activations(found)
        kinds.extend(node.kind() for node in found.nodes())

    with torch.no_grad():
        outputs, given = graph.tap(frozen, "features")(example)
        fused, tapped = graph.tap(frozen, "features", fuse)(example)
    assert torch.allclose(fused, outputs, atol=1e-6)
    assert torch.allclose(tapped, given, atol=1e-6)
    assert kinds.count(JOINED) == 3
    assert kinds.count("aten::_convolution") == 4


class Overwriting(nn.Module):
    """The input of a convolution is overwritten before the convolution's activation."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.features = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.last = nn.Conv2d(8, 8, 3)

    def forward(self, images: Tensor) -> Tensor:
        stem = self.first(images)
        found = self.features(stem)
        skip = stem.relu_()
        pooled: Tensor = self.last(found.relu() + skip).mean((2, 3))
        return pooled


def test_a_fused_convolution_reads_its_input_before_it_is_overwritten() -> None:
    torch.manual_seed(0)
    example = torch.rand(2, 3, 12, 12)
    frozen = graph.freeze(trace(Overwriting(), example))
    with torch.no_grad():
        outputs, given = graph.tap(frozen, "last")(example)
        fused, tapped = graph.tap(frozen, "last", fuse_activations)(example)
    assert torch.allclose(fused, outputs, atol=1e-6)
    assert torch.allclose(tapped, given, atol=1e-6)


def test_operations_after_the_tap_keep_their_gradients() -> None:
    torch.manual_seed(0)
    example = torch.rand(2, 3, 12, 12)
    frozen = graph.freeze(trace(Net(), example))
    found = []
    for change in (lambda _: None, fuse_activations):
        outputs, given = graph.tap(frozen, "stages.0", change)(example)
        found.append(torch.autograd.grad(outputs.sum(), given)[0])
    assert torch.allclose(found[1], found[0], atol=1e-6)


@pytest.mark.parametrize(("device", "can"), [("cpu", torch.backends.mkldnn.is_available()), ("cuda", False)])
def test_only_cpus_have_kernels_for_fusion(device: str, can: bool) -> None:
    assert can_fuse(torch.device(device)) is can
