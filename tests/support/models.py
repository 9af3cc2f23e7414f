"""A tiny network with global average pooling, and ways to save it."""

import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn


class TinyNet(nn.Module):
    """Two convolutions (8 feature maps, a quarter of the input's side), global average pooling, one linear layer."""

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
    """Grad-CAM of one normalised image (1, 3, H, W) by hooks and autograd. Returns logits (C,) and the raw map (h, w).

    It explains the target's logit, by default the largest. With `relu_follows`, the map is computed from the features
    after a ReLU.
    """

    def choose(logits: Tensor) -> Tensor:
        return logits.max() if target is None else logits[target]

    return explain_number(model, layer, images, choose, relu_follows=relu_follows)


def logit_difference(target: int | None = None) -> Callable[[Tensor], Tensor]:
    """Return the function of logits (C,) that DiffGradCAM explains: the target's minus the largest other one."""

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
    """Grad-CAM, as `explain_slowly`, of the number that `choose` computes from the logits (C,)."""
    outputs: list[Tensor] = []

    def record(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        outputs.append(output)
        # The next layer may change its input in place, as in torchvision's DenseNet.
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
