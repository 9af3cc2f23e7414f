"""A tiny network with global average pooling, and a slow Grad-CAM to compare results with."""

import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn


class TinyNet(nn.Module):
    """A network of two convolutions, global average pooling and a linear layer.

    The second convolution has 8 feature maps, whose height and width are a quarter of those of the input.
    """

    def __init__(self, seed: int = 0, width: int = 2) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 3, stride=2, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Conv2d(6, 8, 3, stride=2, padding=1),
        )
        self.head: nn.Module = nn.Linear(8, width)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, width)."""
        pooled: Tensor = self.head(self.features(images).relu().mean((2, 3)))
        return pooled


def save_archive(model: nn.Module, path: Path, side: int) -> Path:
    """Trace a model on inputs of side x side pixels and save it as a TorchScript archive."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that tracing is deprecated
        torch.jit.trace(model, torch.zeros(1, 3, side, side)).save(str(path))  # type: ignore[no-untyped-call]
    return path


def explain_slowly(
    model: nn.Module, layer: nn.Module, images: Tensor, target: int | None = None, *, relu_follows: bool = False
) -> tuple[Tensor, Tensor]:
    """Compute Grad-CAM of a normalised image (1, 3, H, W) by hooks and autograd. Returns logits (C,) and map (h, w).

    The map explains the logit of the class `target`, by default the predicted class. With `relu_follows`, a ReLU is
    applied to the layer's output before the map is computed.
    """

    def choose(logits: Tensor) -> Tensor:
        return logits.max() if target is None else logits[target]

    return explain_number(model, layer, images, choose, relu_follows=relu_follows)


def logit_difference(target: int | None = None) -> Callable[[Tensor], Tensor]:
    """Return a function that maps logits (C,) to the target's logit minus the largest other logit.

    This difference is what DiffGradCAM explains. The target is by default the predicted class.
    """

    def choose(logits: Tensor) -> Tensor:
        chosen = int(logits.argmax()) if target is None else target
        return logits[chosen] - torch.cat([logits[:chosen], logits[chosen + 1 :]]).max()

    return choose


def explain_number(
    model: nn.Module,
    layer: nn.Module,
    images: Tensor,
    choose: Callable[[Tensor], Tensor],
    *,
    relu_follows: bool = False,
) -> tuple[Tensor, Tensor]:
    """Do as `explain_slowly`, but explain the value that `choose` computes from the logits (C,)."""
    outputs: list[Tensor] = []

    def record(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        outputs.append(output)
        # A copy, since the next layer may change its input in place, as in torchvision's DenseNet.
        return output.clone()

    handle = layer.register_forward_hook(record)
    try:
        with torch.enable_grad():
            logits = model(images.requires_grad_())[0]
            if len(logits) == 1:
                logits = torch.cat([-logits, logits])
            (gradients,) = torch.autograd.grad(choose(logits), outputs[0])
    finally:
        handle.remove()
    features = outputs[0].relu() if relu_follows else outputs[0]
    weights = gradients.mean((2, 3), keepdim=True)
    return logits.detach(), (weights * features).sum(1).relu()[0].detach()
