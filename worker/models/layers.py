"""Chooses the layer whose feature map is explained, and finds whether its gradients have a closed form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from service.errors import ModelRefused
from worker.models import graph
from worker.models.graph import RESHAPING, get_kind

_ATTENTION = {"scaled_dot_product_attention", "softmax"}
MAX_EXTRA_TOKENS = 8  # tokens without a place in the image: class token, distillation token, registers
_AVERAGING = {"adaptive_avg_pool2d", "mean", "avg_pool2d"}
_POOLING = _AVERAGING | {"adaptive_max_pool2d", "amax", "max_pool2d", "sum"}


@dataclass(frozen=True)
class Layer:
    """A submodule whose output is a feature map, by its name in the model and its path in the graph.

    `shape` is that of the map (N, K, h, w). With `tokens`, the output is (N, extra + h * w, K), as in a vision
    transformer; the `extra` tokens, such as the class token, come first and have no place in the image. With
    `channels_last`, it is (N, h, w, K), as in a windowed transformer. `rectified`: a ReLU follows before the pooling.
    """

    name: str
    path: str
    shape: tuple[int, ...]
    tokens: bool = False
    extra: int = 1
    channels_last: bool = False
    rectified: bool = False

    def activations(self, values: Tensor) -> Tensor:
        """Turn the submodule's output into the map (N, K, h, w) that methods read, after the ReLU if one follows."""
        features = self.as_map(values)
        return features.relu() if self.rectified else features

    def as_map(self, values: Tensor) -> Tensor:
        """Turn the submodule's output, or gradients of it, into (N, K, h, w), without the extra tokens."""
        if self.channels_last:
            return values.permute(0, 3, 1, 2)
        if not self.tokens:
            return values
        return values[:, self.extra :].transpose(1, 2).reshape(len(values), *self.shape[1:])


def feature_layers(
    frozen: torch.jit.ScriptModule, example: Tensor, names: Mapping[str, str] = MappingProxyType({})
) -> Sequence[Layer]:
    """Find the submodules whose output is a feature map of more than one pixel, in the order of completion.

    `names` maps paths in the graph to names in the original model.
    """
    found: list[Layer] = []
    count, ratio = len(example), example.shape[2] / example.shape[3]
    for path, shape in graph.output_shapes(frozen, example).items():
        name = names.get(path, path)
        if len(shape) == 4 and shape[0] == count and _is_channels_last(shape, ratio):
            found.append(Layer(name, path, (count, shape[3], *shape[1:3]), channels_last=True))
        elif len(shape) == 4 and shape[0] == count and shape[2] * shape[3] > 1:
            found.append(Layer(name, path, shape))
        elif len(shape) == 3 and shape[0] == count and (grid := _grid(found, shape)):
            extra = shape[1] - grid[0] * grid[1]
            found.append(Layer(name, path, (shape[0], shape[2], *grid), tokens=True, extra=extra))
    return found


def _is_channels_last(shape: Sequence[int], ratio: float) -> bool:
    """Return whether the first two sides of a map, not the last two, have the image's aspect ratio."""
    high, wide, channels = shape[1:]
    return high * wide > 1 and abs(high / wide - ratio) < 1e-6 and abs(wide / channels - ratio) > 1e-6


def _grid(before: Sequence[Layer], shape: Sequence[int]) -> Sequence[int] | None:
    """Return the grid (h, w) of tokens (N, T, K): that of the last feature map, or that grid halved 1 to 3 times."""
    grids = [layer.shape[2:] for layer in before if not layer.tokens]
    if not grids:
        return None
    high, wide = grids[-1]
    if 0 <= shape[1] - high * wide <= MAX_EXTRA_TOKENS:
        return (high, wide)
    halves = [(high >> times, wide >> times) for times in (1, 2, 3) if not (high | wide) % (1 << times)]
    return next(((h, w) for h, w in halves if h * w == shape[1] > 1), None)


def choose(path: Path, frozen: torch.jit.ScriptModule, layers: Sequence[Layer], wanted: str | None) -> Layer | None:
    """Return the layer of the spec, or the default layer, or None if the model has none.

    Raises ModelRefused, with the candidates, for an unknown name.
    """
    layer = _default(frozen, layers) if wanted is None else _find_by_name(path, layers, wanted)
    return layer and replace(layer, rectified=_is_rectified(frozen, layer))


def _default(frozen: torch.jit.ScriptModule, layers: Sequence[Layer]) -> Layer | None:
    """Return the layer to explain if the spec names none.

    It is the last feature map, as in torch-cam: `layer4` of ResNet, `features` of DenseNet. In a vision transformer
    with a class token it is the norm before the last attention, since later tokens except the class token do not reach
    the logits.
    """
    maps = (each for each in reversed(layers) if not each.tokens or each.extra == 0)
    return _before_attention(frozen, layers) or next(maps, None)


def _find_by_name(path: Path, layers: Sequence[Layer], wanted: str) -> Layer:
    for layer in layers:
        if wanted in (layer.name, layer.path):
            return layer
    candidates = ", ".join(f"{each.name} {list(each.shape[1:])}" for each in layers[-12:]) or "none"
    raise ModelRefused(
        model_field="layer", reason=f"{path} has no feature layer {wanted!r}; its last feature layers are {candidates}"
    )


def _before_attention(frozen: torch.jit.ScriptModule, layers: Sequence[Layer]) -> Layer | None:
    """Return the last norm over tokens that an attention follows."""
    nodes, ends = graph.operations(frozen.graph), dict(graph.module_ends(frozen.graph))
    attentions = [place for place, node in enumerate(nodes) if get_kind(node) in _ATTENTION]
    for layer in reversed(layers):
        is_norm = layer.tokens and layer.extra > 0 and get_kind(ends[layer.path]) == "layer_norm"
        if is_norm and any(place > nodes.index(ends[layer.path]) for place in attentions):
            return layer
    return None


def _is_rectified(frozen: torch.jit.ScriptModule, layer: Layer) -> bool:
    """Return whether a layer's output goes through a ReLU and then into a pooling."""
    readers = graph.readers(dict(graph.module_ends(frozen.graph))[layer.path], RESHAPING)
    relus = [node for node in readers if get_kind(node) == "relu"]
    in_place = bool(readers) and readers[0].kind() == "aten::relu_"  # later operations then read the output of the ReLU
    if relus != readers and not in_place:
        return False
    after = [node for relu in relus for node in graph.readers(relu, RESHAPING)]
    return any(get_kind(node) in _POOLING for node in [*readers, *after])


@dataclass(frozen=True)
class LinearTail:
    """The end of a model in which only an optional ReLU, pooling and one linear layer follow the feature layer.

    `weights` are those of the linear layer, (logits, K).
    """

    weights: Tensor
    rectified: bool


def linear_tail(frozen: torch.jit.ScriptModule, layer: Layer) -> LinearTail | None:
    """Return the linear tail after a layer, or None if other operations follow.

    The match is by the kinds of operations only; the caller checks the gradients against autograd.
    """
    nodes = graph.operations(frozen.graph)
    after = nodes[nodes.index(dict(graph.module_ends(frozen.graph))[layer.path]) + 1 :]
    tail = [node for node in after if get_kind(node) not in RESHAPING]
    rest = tail[1:] if layer.rectified else tail
    if len(rest) != 2 or get_kind(rest[0]) not in _AVERAGING or get_kind(rest[1]) != "linear":
        return None
    weights = list(rest[1].inputs())[1].toIValue()
    return LinearTail(weights, layer.rectified) if isinstance(weights, Tensor) else None
