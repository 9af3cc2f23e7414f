"""Computes feature maps and gradients of any convolutional network with hooks and autograd, without its graph."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

RELUS = {"relu", "relu_"}
IDENTITIES = {"dropout"}  # functions that change nothing in evaluation mode


class FollowRelu(TorchFunctionMode):
    """Records the output of a ReLU that is applied to the tensor `watched`."""

    def __init__(self) -> None:
        super().__init__()
        self.watched: Tensor | None = None
        self.rectified: Tensor | None = None

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        is_watched = self.watched is not None and bool(args) and args[0] is self.watched
        output = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if is_watched and name in RELUS:
            self.rectified = output.clone()
        elif is_watched and name in IDENTITIES:
            self.watched = output
        return output


def last_feature_map(net: nn.Module, inputs: Tensor) -> str:
    """Return the name of the submodule that completes last among those with a 4-D output of more than one pixel."""
    completed: list[str] = []

    def watch(name: str) -> Callable[..., None]:
        def record(_module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] * output.shape[3] > 1:
                completed.append(name)

        return record

    handles = [module.register_forward_hook(watch(name)) for name, module in net.named_modules() if name]
    with torch.no_grad():
        net(inputs)
    for handle in handles:
        handle.remove()
    return completed[-1]


@dataclass(frozen=True)
class Hooked:
    """Logits (N, C), a layer's feature map (N, K, h, w), and the gradients of the largest logits at the feature map."""

    logits: Tensor
    features: Tensor
    gradients: Tensor


def explain_by_hooks(net: nn.Module, inputs: Tensor) -> Hooked:
    """Explain the predicted classes of normalised inputs (N, 3, H, W) at the last layer with a feature map.

    The gradients are those at the output of the layer. If a ReLU follows the layer, the feature map is its output.
    """
    layer, follow = net.get_submodule(last_feature_map(net, inputs)), FollowRelu()
    given: list[Tensor] = []

    def watch(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        given.append(output)
        follow.watched = output.clone()  # a copy, since the next function may change its input in place
        return follow.watched

    with layer.register_forward_hook(watch), torch.enable_grad(), follow:
        logits = net(inputs.clone().requires_grad_())
    (gradients,) = torch.autograd.grad(logits.amax(1).sum(), given[-1])
    features = given[-1] if follow.rectified is None else follow.rectified
    return Hooked(logits.detach(), features.detach(), gradients)
