"""Which layer's feature map is explained, and whether what follows it has gradients in closed form."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from service.errors import ModelRefused
from worker.classifiers import graph

_ATTENTION = {"scaled_dot_product_attention", "softmax"}
_RESHAPING = {"flatten", "squeeze", "view", "reshape", "dropout", "contiguous"}
_POOLING = {"adaptive_avg_pool2d", "mean", "avg_pool2d"}


@dataclass(frozen=True)
class Layer:
    """A submodule that gives a feature map of `shape` (N, K, h, w), by its path in the model.

    A transformer's gives tokens (N, 1 + h * w, K), the class token first.
    """

    name: str
    shape: tuple[int, ...]
    tokens: bool = False

    def as_map(self, values: Tensor) -> Tensor:
        """What the submodule gives, or gradients of it -> (N, K, h, w), without the class token."""
        if not self.tokens:
            return values
        return values[:, 1:].transpose(1, 2).reshape(len(values), *self.shape[1:])


def feature_layers(frozen: torch.jit.ScriptModule, example: Tensor) -> Sequence[Layer]:
    """Submodules that give a feature map of more than one pixel, as they complete."""
    found: list[Layer] = []
    for name, shape in graph.output_shapes(frozen, example).items():
        if len(shape) == 4 and shape[2] * shape[3] > 1:
            found.append(Layer(name, shape))
        elif len(shape) == 3 and (grid := _grid(found, shape)):
            found.append(Layer(name, (shape[0], shape[2], *grid), tokens=True))
    return found


def _grid(before: Sequence[Layer], shape: Sequence[int]) -> Sequence[int] | None:
    """The grid of patches that tokens (N, T, K) stand for: that of the map they were made from."""
    grids = [layer.shape[2:] for layer in before if not layer.tokens]
    return grids[-1] if grids and grids[-1][0] * grids[-1][1] + 1 == shape[1] else None


def choose(path: Path, frozen: torch.jit.ScriptModule, layers: Sequence[Layer], wanted: str | None) -> Layer | None:
    """The layer asked for, or the default, None where there is none. Raises ModelRefused, with the candidates.

    The default is the last 4-D map, as torch-cam picks it: `layer4` of ResNet, `features` of DenseNet. Of a
    vision transformer it is the norm before the last attention: what comes later reaches the logits by the
    class token alone.
    """
    if wanted is None:
        return _before_attention(frozen, layers) or next((each for each in reversed(layers) if not each.tokens), None)
    for layer in layers:
        if layer.name == wanted:
            return layer
    candidates = ", ".join(f"{each.name} {list(each.shape[1:])}" for each in layers[-12:]) or "none"
    raise ModelRefused(reason=f"{path} has no feature layer {wanted!r}; its last ones are {candidates}")


def _before_attention(frozen: torch.jit.ScriptModule, layers: Sequence[Layer]) -> Layer | None:
    """The last norm over tokens that an attention follows."""
    nodes, ends = graph.operations(frozen.graph), dict(graph.module_ends(frozen.graph))
    attentions = [place for place, node in enumerate(nodes) if _kind(node) in _ATTENTION]
    for layer in reversed(layers):
        is_norm = layer.tokens and _kind(ends[layer.name]) == "layer_norm"
        if is_norm and any(place > nodes.index(ends[layer.name]) for place in attentions):
            return layer
    return None


@dataclass(frozen=True)
class LinearTail:
    """Only an optional ReLU, pooling and one linear layer follow the feature layer; `weights` are (logits, K)."""

    weights: Tensor
    rectified: bool


def linear_tail(frozen: torch.jit.ScriptModule, layer: Layer) -> LinearTail | None:
    """What follows a layer, where by its kind it has a closed form; whoever asks checks that it holds."""
    nodes = graph.operations(frozen.graph)
    after = nodes[nodes.index(dict(graph.module_ends(frozen.graph))[layer.name]) + 1 :]
    tail = [node for node in after if _kind(node) not in _RESHAPING]
    rectified = bool(tail) and _kind(tail[0]) == "relu"
    rest = tail[1:] if rectified else tail
    if len(rest) != 2 or _kind(rest[0]) not in _POOLING or _kind(rest[1]) != "linear":
        return None
    weights = list(rest[1].inputs())[1].toIValue()
    return LinearTail(weights, rectified) if isinstance(weights, Tensor) else None


def _kind(node: graph.Node) -> str:
    """An operation's name, that in place being the same."""
    return str(node.kind().removeprefix("aten::").removesuffix("_"))
