"""From a run's file to a classifier, whatever the format."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from service.errors import ModelRefused
from service.model_files import sniff
from service.spec import Model, Outputs
from service.transient import is_transient
from worker.batching import is_out_of_memory
from worker.classifiers import graph, layers
from worker.classifiers.checkpoint import load_checkpoint
from worker.classifiers.classifier import Classifier, Head, Plain, Tapped, differentiate
from worker.classifiers.precision import Precision

CPU = torch.device("cpu")

# Changes a module, as it was read from its file, in place.
Alter = Callable[[torch.jit.ScriptModule], None]


def load_classifier(
    path: Path, model: Model, chunk: int, device: torch.device = CPU, precision: str = "float32"
) -> Classifier:
    """Load a file onto a device as its cohort's spec says. Raises ModelRefused, which names the file."""
    return _assemble(path, model, _Setting(chunk, device, precision), lambda _: None)


def load_altered(path: Path, model: Model, intact: Classifier, alter: Alter) -> Classifier:
    """The file of an intact classifier once more, altered, explained at the same layer, one picture at a time."""
    name = intact.layer.name if intact.layer else None
    setting = _Setting(1, intact.device, intact.precision.name)
    return _assemble(path, model.model_copy(update={"layer": name}), setting, alter)


@dataclass(frozen=True)
class _Setting:
    chunk: int
    device: torch.device
    precision: str


def _assemble(path: Path, model: Model, setting: _Setting, alter: Alter) -> Classifier:
    chunk, device = setting.chunk, setting.device
    channels = 1 if model.preprocessing.channels == "gray" else 3
    example = torch.rand(chunk, channels, *model.preprocessing.size, generator=torch.Generator().manual_seed(0))
    example = example.to(device, memory_format=torch.channels_last)
    try:
        module = _load(path, model, example)
        alter(module)
        frozen = graph.freeze(module)
        plain = _plain(frozen)
        with torch.no_grad():
            head = _head(path, model, plain(example))
        layer = layers.choose(path, frozen, layers.feature_layers(frozen, example), model.layer)
        tapped, tail = (None, None) if layer is None else _tap(frozen, layer, example, head)
    except ModelRefused:
        raise
    except Exception as error:  # a model's own code raises what it likes
        if is_out_of_memory(error) or is_transient(error):
            raise
        raise ModelRefused(
            reason=f"{path} does not run on inputs of {list(example.shape[1:])}: {_last_line(error)}; "
            "see preprocessing.size and channels"
        ) from error
    return Classifier(
        plain, tapped, replace(head, tail=tail), layer if tapped else None, model.preprocessing, chunk, device,
        Precision(setting.precision),
    )  # fmt: skip


def _tap(
    frozen: torch.jit.ScriptModule, layer: layers.Layer, example: Tensor, head: Head
) -> tuple[Tapped | None, layers.LinearTail | None]:
    """The model tapped, None where it has no gradients, and its tail, None where autograd has other gradients."""
    tapped = _tapped(frozen, layer.name)
    outputs, given = tapped(example)
    logits, targets = head.logits(outputs), torch.zeros(len(example), dtype=torch.long, device=example.device)
    try:
        wanted = layer.as_map(differentiate(logits, targets, given))
    except RuntimeError:
        return None, None
    tail = None if layer.tokens else layers.linear_tail(frozen, layer)
    found = replace(head, tail=tail).gradients(given.detach(), targets)
    holds = found is not None and torch.allclose(found, wanted, rtol=1e-4, atol=1e-7)
    return tapped, tail if holds else None


def _load(path: Path, model: Model, example: Tensor) -> torch.jit.ScriptModule:
    if sniff(path) == "torchscript":
        script: torch.jit.ScriptModule = _channels_last(_read_archive(path, example.device))
        return script
    if model.architecture is None:
        raise ModelRefused(reason=f"{path} is a checkpoint; name its model.architecture, such as torchvision/resnet50")
    eager = load_checkpoint(path, model.architecture, model.num_classes).eval().to(example.device)
    return _trace(_channels_last(eager), example)


def _channels_last(module: Any) -> Any:
    """The module with its convolutions' weights laid out channel by channel, as CPUs and tensor cores like them."""
    return module.to(memory_format=torch.channels_last)


def _trace(eager: nn.Module, example: Tensor) -> torch.jit.ScriptModule:
    with warnings.catch_warnings(), torch.no_grad(), _plain_attention():
        # Deprecated in favour of torch.export, which has no modules to tap; and of shapes fixed by tracing,
        # which is meant, since batches have one shape.
        warnings.simplefilter("ignore")
        trace: Any = torch.jit.trace  # torch leaves it untyped
        traced: torch.jit.ScriptModule = trace(eager, example, check_trace=False)
    return traced


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Without the fused kernel for attention, which has no gradients."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _read_archive(path: Path, device: torch.device) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and still what TorchScript archives are read with
        try:
            load: Any = torch.jit.load  # torch leaves it untyped
            script: torch.jit.ScriptModule = load(path, map_location=device)
        except (RuntimeError, OSError, ValueError) as error:
            if is_transient(error):
                raise
            raise ModelRefused(reason=f"{path} is a damaged TorchScript archive: {_last_line(error)}") from error
    return script


def _plain(frozen: torch.jit.ScriptModule) -> Plain:
    def run(inputs: Tensor) -> Tensor:
        outputs = frozen(inputs)
        # Models with auxiliary heads give a tuple, their logits first.
        first: Tensor = outputs[0] if isinstance(outputs, tuple) else outputs
        return first

    return run


def _tapped(frozen: torch.jit.ScriptModule, layer: str) -> Tapped:
    function = graph.tap(frozen, layer)

    def run(inputs: Tensor) -> tuple[Tensor, Tensor]:
        outputs, given = function(frozen._c, inputs)
        return (outputs[0] if isinstance(outputs, tuple) else outputs), given

    return run


def _width(path: Path, outputs: object) -> int:
    """How many logits an input gets. Raises ModelRefused for outputs that are no logits."""
    if not isinstance(outputs, Tensor) or outputs.ndim not in (1, 2) or not outputs.is_floating_point():
        shape = list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise ModelRefused(reason=f"{path} gives {shape}, not one row of logits an input")
    return 1 if outputs.ndim == 1 else int(outputs.shape[1])


def _head(path: Path, model: Model, outputs: Tensor) -> Head:
    width = _width(path, outputs)
    if model.num_classes is not None and model.num_classes not in (width, max(width, 2)):
        raise ModelRefused(reason=f"{path} has {width} logit(s), and model.num_classes is {model.num_classes}")
    single = (model.outputs or Outputs()).single
    return Head(width, 1 if single == "class-1" else 0, tail=None)


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
