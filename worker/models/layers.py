"""Which layer's feature map is explained, and whether what follows it has gradients in closed form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from service.errors import ModelRefused
from worker.models import graph
from worker.models.graph import kind_of

_ATTENTION = {"scaled_dot_product_attention", "softmax"}
_RESHAPING = {"flatten", "squeeze", "view", "reshape", "dropout", "contiguous"}
MAX_EXTRA_TOKENS = 8  # tokens that stand for no place: of the class, of distillation, registers
_AVERAGING = {"adaptive_avg_pool2d", "mean", "avg_pool2d"}
_POOLING = _AVERAGING | {"adaptive_max_pool2d", "amax", "max_pool2d", "sum"}


@dataclass(frozen=True)
class Layer:
    """A submodule that gives a feature map of `shape` (N, K, h, w), by its name in the model and its path in the graph.

    A transformer's gives tokens (N, extra + h * w, K), those that stand for no place, as the class token, first;
    a windowed one's (N, h, w, K), channels last. `rectified`: a ReLU follows it before pooling.
    """

    name: str
    path: str
    shape: tuple[int, ...]
    tokens: bool = False
    extra: int = 1
    channels_last: bool = False
    rectified: bool = False

    def activations(self, values: Tensor) -> Tensor:
        """What the submodule gives -> the map (N, K, h, w) that methods read: after the ReLU, where one follows."""
        found = self.as_map(values)
        return found.relu() if self.rectified else found

    def as_map(self, values: Tensor) -> Tensor:
        """What the submodule gives, or gradients of it -> (N, K, h, w), without tokens of no place."""
        if self.channels_last:
            return values.permute(0, 3, 1, 2)
        if not self.tokens:
            return values
        return values[:, self.extra :].transpose(1, 2).reshape(len(values), *self.shape[1:])


def feature_layers(
    frozen: torch.jit.ScriptModule, example: Tensor, names: Mapping[str, str] = MappingProxyType({})
) -> Sequence[Layer]:
    """Submodules that give a feature map of more than one pixel, as they complete; `names` are those of graph paths."""
    found: list[Layer] = []
    count, ratio = len(example), example.shape[2] / example.shape[3]
    for path, shape in graph.output_shapes(frozen, example).items():
        name = names.get(path, path)
        if len(shape) == 4 and shape[0] == count and _is_last(shape, ratio):
            found.append(Layer(name, path, (count, shape[3], *shape[1:3]), channels_last=True))
        elif len(shape) == 4 and shape[0] == count and shape[2] * shape[3] > 1:
            found.append(Layer(name, path, shape))
        elif len(shape) == 3 and shape[0] == count and (grid := _grid(found, shape)):
            extra = shape[1] - grid[0] * grid[1]
            found.append(Layer(name, path, (shape[0], shape[2], *grid), tokens=True, extra=extra))
    return found


def _is_last(shape: Sequence[int], ratio: float) -> bool:
    """Whether a map has its channels last: its first two sides, not its last two, have the picture's aspect ratio."""
    high, wide, channels = shape[1:]
    return high * wide > 1 and abs(high / wide - ratio) < 1e-6 and abs(wide / channels - ratio) > 1e-6


def _grid(before: Sequence[Layer], shape: Sequence[int]) -> Sequence[int] | None:
    """The grid of patches that tokens (N, T, K) stand for: that of the map they were made from, or a half of it."""
    grids = [layer.shape[2:] for layer in before if not layer.tokens]
    if not grids:
        return None
    high, wide = grids[-1]
    if 0 <= shape[1] - high * wide <= MAX_EXTRA_TOKENS:
        return (high, wide)
    halves = [(high >> times, wide >> times) for times in (1, 2, 3) if not (high | wide) % (1 << times)]
    return next(((h, w) for h, w in halves if h * w == shape[1] > 1), None)


def choose(path: Path, frozen: torch.jit.ScriptModule, layers: Sequence[Layer], wanted: str | None) -> Layer | None:
    """The layer asked for, or the default, None where there is none. Raises ModelRefused, with the candidates."""
    found = _default(frozen, layers) if wanted is None else _named(path, layers, wanted)
    return found and replace(found, rectified=_is_rectified(frozen, found))


def _default(frozen: torch.jit.ScriptModule, layers: Sequence[Layer]) -> Layer | None:
    """The layer explained where the spec names none.

    It is the last map, as torch-cam picks it: `layer4` of ResNet, `features` of DenseNet. Of a vision
    transformer with a class token it is the norm before the last attention: what comes later reaches the logits by
    the class token alone.
    """
    maps = (each for each in reversed(layers) if not each.tokens or each.extra == 0)
    return _before_attention(frozen, layers) or next(maps, None)


def _named(path: Path, layers: Sequence[Layer], wanted: str) -> Layer:
    for layer in layers:
        if wanted in (layer.name, layer.path):
            return layer
    candidates = ", ".join(f"{each.name} {list(each.shape[1:])}" for each in layers[-12:]) or "none"
    raise ModelRefused(
        model_field="layer", reason=f"{path} has no feature layer {wanted!r}; its last ones are {candidates}"
    )


def _before_attention(frozen: torch.jit.ScriptModule, layers: Sequence[Layer]) -> Layer | None:
    """The last norm over tokens that an attention follows."""
    nodes, ends = graph.operations(frozen.graph), dict(graph.module_ends(frozen.graph))
    attentions = [place for place, node in enumerate(nodes) if kind_of(node) in _ATTENTION]
    for layer in reversed(layers):
        is_norm = layer.tokens and layer.extra > 0 and kind_of(ends[layer.path]) == "layer_norm"
        if is_norm and any(place > nodes.index(ends[layer.path]) for place in attentions):
            return layer
    return None


def _is_rectified(frozen: torch.jit.ScriptModule, layer: Layer) -> bool:
    """Whether what a layer gives goes through a ReLU, and what comes of it into a pooling."""
    readers = graph.readers(dict(graph.module_ends(frozen.graph))[layer.path], _RESHAPING)
    relus = [node for node in readers if kind_of(node) == "relu"]
    in_place = bool(readers) and readers[0].kind() == "aten::relu_"  # so that the others read what it leaves
    if relus != readers and not in_place:
        return False
    after = [node for relu in relus for node in graph.readers(relu, _RESHAPING)]
    return any(kind_of(node) in _POOLING for node in [*readers, *after])


@dataclass(frozen=True)
class LinearTail:
    """Only an optional ReLU, pooling and one linear layer follow the feature layer; `weights` are (logits, K)."""

    weights: Tensor
    rectified: bool


def linear_tail(frozen: torch.jit.ScriptModule, layer: Layer) -> LinearTail | None:
    """What follows a layer, where by its kind it has a closed form; whoever asks checks that it holds."""
    nodes = graph.operations(frozen.graph)
    after = nodes[nodes.index(dict(graph.module_ends(frozen.graph))[layer.path]) + 1 :]
    tail = [node for node in after if kind_of(node) not in _RESHAPING]
    rest = tail[1:] if layer.rectified else tail
    if len(rest) != 2 or kind_of(rest[0]) not in _AVERAGING or kind_of(rest[1]) != "linear":
        return None
    weights = list(rest[1].inputs())[1].toIValue()
    return LinearTail(weights, layer.rectified) if isinstance(weights, Tensor) else None
