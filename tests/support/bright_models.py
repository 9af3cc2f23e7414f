"""Models that tell dark from bright images and end in any activation, and functions that save the models."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from tests.support.exported_models import export
from tests.support.models import save_archive
from tests.support.onnx_models import save_net

SIDE = 16


class Brightness(nn.Module):
    """Classifies images as dark (0) or bright (1) by their mean value.

    The logits have the given slope and bias over the mean value, and go through the module `end`.
    """

    def __init__(self, end: nn.Module, outputs: int = 1, slope: float = 4.0, bias: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        first, second = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 1)
        self.features = nn.Sequential(first, second)
        self.fc, self.end = nn.Linear(4, outputs), end
        with torch.no_grad():
            for weight in self.parameters():
                weight.zero_()
            first.weight.copy_(1 + 0.3 * torch.randn(4, 3, 3, 3))
            second.weight.copy_(torch.eye(4)[:, :, None, None] / 27)
            self.fc.weight.copy_(slope / 4 * (torch.ones(1, 4) if outputs == 1 else torch.tensor([[-0.5], [0.5]])))
            self.fc.bias.fill_(bias)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.end(self.fc(self.features(x).mean((2, 3))))
        return logits


class Hidden(nn.Module):
    """An activation followed by abs(), which changes no probability but hides that the activation comes last."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, logits: Tensor) -> Tensor:
        probabilities: Tensor = self.activation(logits)
        return probabilities.abs()


def traced(net: nn.Module, folder: Path) -> Path:
    return save_archive(net, folder / "m.pt", SIDE)


def scripted(net: nn.Module, folder: Path) -> Path:
    compile_script: Any = torch.jit.script
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that scripting is deprecated, but users have scripted archives
        compile_script(net).save(str(folder / "m.pt"))
    return folder / "m.pt"


def exported(net: nn.Module, folder: Path) -> Path:
    return export(net, folder / "m.pt2", side=SIDE)


def as_onnx(operation: str | None, outputs: int, folder: Path) -> Path:
    """Save an ONNX model that applies a linear layer to the mean value of each channel, and then an operation."""
    side = np.ones((3, 1)) if outputs == 1 else np.array([[-0.5, 0.5]] * 3)
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["z" if operation else "logits"]),
    ]
    if operation:
        nodes.append(helper.make_node(operation, ["z"], ["logits"]))
    weights = numpy_helper.from_array((4 / 3 * side).astype(np.float32), "weights")
    return save_net(folder / "m.onnx", nodes, weights, [["n", 3, SIDE, SIDE], ["n", outputs]])
