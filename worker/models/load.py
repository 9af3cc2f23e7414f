"""Loads a run's model files of any format as a classifier."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from service.errors import ModelRefused
from service.errors.base import last_line
from service.errors.transient import is_transient
from service.inputs.model_files import ModelFiles, find_model
from service.spec.cohort import Model, Outputs
from worker.models import graph, layers
from worker.models.classifier import Classifier, Head, Plain, Tapped, differentiate
from worker.models.formats import Source, open_source
from worker.models.fusion import can_fuse, fuse_activations
from worker.models.onnx import OnnxModel
from worker.models.onnx_activation import without_activation
from worker.models.output_activation import REMOVED, gives_again, remove_activation
from worker.models.precision import Precision
from worker.runtime.batch_size import is_out_of_memory

CPU = torch.device("cpu")

# A function that changes a module in place, before the module is frozen.
Alter = Callable[[torch.jit.ScriptModule], None]


def load_classifier(
    path: Path, model: Model, chunk: int, device: torch.device = CPU, precision: str = "float32"
) -> Classifier:
    """Load a model onto a device as its cohort's spec says. Raises ModelRefused, which names the file.

    `chunk` is the number of images in a batch, unless the model has a fixed batch size.
    """
    files = find_model(path)
    _check_format(files, model)
    if files.format == "onnx":
        return _load_black_box(files.path, model, chunk, device)
    return _assemble(path, model, open_source(files, model), _Setting(chunk, device, precision))


def load_altered(path: Path, model: Model, intact: Classifier, alter: Alter) -> Classifier:
    """Load a model, change its weights by `alter`, and return it as a classifier of one image at a time.

    Its maps come from the same layer as those of the classifier `intact`.
    """
    files = find_model(path)
    if files.format == "onnx":
        raise ModelRefused(
            field="measures",
            reason=f"{path} is an ONNX model, and `randomisation` cannot replace its weights; give the model in "
            "another format, or remove the measure",
        )
    source = open_source(files, model)

    def make(example: Tensor) -> torch.jit.ScriptModule:
        module = source.make(example)
        alter(module)
        return module

    same_layer = model.model_copy(update={"layer": intact.layer.name if intact.layer else None})
    setting = _Setting(1, intact.device, intact.precision.name)
    return _assemble(path, same_layer, replace(source, make=make), setting)


@dataclass(frozen=True)
class _Setting:
    chunk: int
    device: torch.device
    precision: str


def _assemble(path: Path, model: Model, source: Source, setting: _Setting) -> Classifier:
    example = _example(path, model, source.sizes, setting.chunk)
    example = example.to(setting.device, memory_format=torch.channels_last)
    try:
        return _build(path, model, source, example, Precision(setting.precision))
    except ModelRefused:
        raise
    except Exception as error:  # a model's own code can raise any error
        if is_out_of_memory(error) or is_transient(error):
            raise
        raise _does_not_run(path, example, error) from error


def _build(path: Path, model: Model, source: Source, example: Tensor, precision: Precision) -> Classifier:
    frozen = graph.freeze(source.make(example))
    removed = remove_activation(frozen, example, model.activation)
    plain = _plain(frozen)
    with torch.no_grad():
        head = _head(path, model, plain(example), removed)
    found = layers.feature_layers(frozen, example, source.names)
    layer = layers.choose(path, frozen, found, model.layer)
    tapped, tail = (None, None) if layer is None else _tap(frozen, layer, example, head)
    if layer and tapped and precision.on(example.device) == "float32" and can_fuse(example.device):
        tapped = _fused(frozen, layer.path, tapped, example)
    return Classifier(
        plain, tapped, replace(head, tail=tail), layer if tapped else None, model.preprocessing, len(example),
        example.device, precision, layers=tuple(found), removed_activation=removed,
    )  # fmt: skip


def _load_black_box(path: Path, model: Model, chunk: int, device: torch.device) -> Classifier:
    if model.layer is not None:
        raise ModelRefused(
            model_field="layer", reason=f"{path} is an ONNX model, which has no feature layers; remove model.layer"
        )
    black_box = OnnxModel(path, device)
    example = _example(path, model, black_box.sizes, chunk)
    try:
        plain, removed = _without_activation(path, model, black_box.plain(), example.to(device))
        head = _head(path, model, plain(example), removed)
    except ModelRefused:
        raise
    except Exception as error:  # onnxruntime's errors have no other common class
        if is_out_of_memory(error) or is_transient(error):
            raise
        raise _does_not_run(path, example, error) from error
    return Classifier(
        plain, None, head, None, model.preprocessing, len(example), device, Precision("float32"), differentiable=False,
        removed_activation=removed,
    )  # fmt: skip


def _without_activation(path: Path, model: Model, plain: Plain, example: Tensor) -> tuple[Plain, str | None]:
    """Return an ONNX model without the activation at its end, and the activation's name; or the model as it is."""
    found = without_activation(path.read_bytes())
    if found is None or found[0] not in REMOVED[model.activation]:
        return plain, None
    name, content = found
    edited = OnnxModel(path, example.device, content).plain()
    return (edited, name) if gives_again(name, edited(example), plain(example)) else (plain, None)


def _check_format(files: ModelFiles, model: Model) -> None:
    if model.format not in ("auto", files.format):
        raise ModelRefused(
            model_field="format",
            reason=f"{files.path} has the format {files.format}, but model.format is {model.format}",
        )


def _example(path: Path, model: Model, sizes: Sequence[int | None], chunk: int) -> Tensor:
    """Return random inputs of the spec's size. Raises ModelRefused if the model requires another size."""
    channels = 1 if model.preprocessing.channels == "gray" else 3
    wanted = (channels, *model.preprocessing.size)
    for own, given in zip(sizes[1:], wanted, strict=True):
        if own is not None and own != given:
            raise ModelRefused(
                model_field="preprocessing.channels" if sizes[1] not in (None, channels) else "preprocessing.size",
                reason=f"{path} takes inputs of {list(sizes[1:])}, not {list(wanted)}; set preprocessing.size and "
                "channels to match",
            )
    return torch.rand(sizes[0] or chunk, *wanted, generator=torch.Generator().manual_seed(0))


def _does_not_run(path: Path, example: Tensor, error: Exception) -> ModelRefused:
    return ModelRefused(
        model_field="preprocessing",
        reason=f"{path} does not run on float32 inputs of {list(example.shape[1:])}: {last_line(error)}; check "
        "preprocessing.size and channels, and save a model of another dtype after model.float()",
    )


def _tap(
    frozen: torch.jit.ScriptModule, layer: layers.Layer, example: Tensor, head: Head
) -> tuple[Tapped | None, layers.LinearTail | None]:
    """Return the tapped model and its linear tail.

    The model is None if it has no gradients; the tail is None if its gradients differ from those of autograd.
    """
    tapped = _tapped(frozen, layer.path)
    outputs, activations = tapped(example)
    logits, targets = head.logits(outputs), torch.zeros(len(example), dtype=torch.long, device=example.device)
    try:
        expected = layer.as_map(differentiate(logits, targets, activations))
    except RuntimeError:
        return None, None
    tail = None if layer.tokens or layer.channels_last else layers.linear_tail(frozen, layer)
    closed_form = replace(head, tail=tail).gradients(activations.detach(), targets)
    holds = closed_form is not None and torch.allclose(closed_form, expected, rtol=1e-4, atol=1e-7)
    return tapped, tail if holds else None


def _fused(frozen: torch.jit.ScriptModule, layer: str, tapped: Tapped, example: Tensor) -> Tapped:
    """Return the tapped model with fused convolutions if this gives the same numbers, else the model unchanged."""
    fused = _tapped(frozen, layer, fuse_activations)
    with torch.no_grad():
        pairs = zip(fused(example), tapped(example), strict=True)
        # Not torch.allclose, which rejects a tolerance of NaN: that of a diverged model, whose outputs are NaN.
        equal = all(bool(((new - old).abs() <= 1e-4 * old.abs() + 1e-5 * old.abs().max()).all()) for new, old in pairs)
    return fused if equal else tapped


def _plain(frozen: torch.jit.ScriptModule) -> Plain:
    def run(inputs: Tensor) -> Tensor:
        outputs = frozen(inputs)
        # Models with auxiliary heads return a tuple that begins with the logits of the main head.
        first: Tensor = outputs[0] if isinstance(outputs, tuple) else outputs
        return first

    return run


def _tapped(
    frozen: torch.jit.ScriptModule, layer: str, change: Callable[[graph.Graph], None] = lambda _: None
) -> Tapped:
    function = graph.tap(frozen, layer, change)

    def run(inputs: Tensor) -> tuple[Tensor, Tensor]:
        outputs, activations = function(inputs)
        return (outputs[0] if isinstance(outputs, tuple) else outputs), activations

    return run


def _width(path: Path, outputs: object) -> int:
    """Return the number of logits for each input. Raises ModelRefused for outputs that are not logits."""
    if not isinstance(outputs, Tensor) or outputs.ndim not in (1, 2) or not outputs.is_floating_point():
        shape = list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise ModelRefused(reason=f"{path} returns {shape}, not one row of logits for each input")
    return 1 if outputs.ndim == 1 else int(outputs.shape[1])


def _head(path: Path, model: Model, outputs: Tensor, removed: str | None = None) -> Head:
    width = _width(path, outputs)
    if model.num_classes is not None and model.num_classes not in (width, max(width, 2)):
        raise ModelRefused(
            model_field="num_classes",
            reason=f"{path} has {width} logit(s), but model.num_classes is {model.num_classes}",
        )
    single = (model.outputs or Outputs()).single
    gives_probabilities = model.activation == "probabilities" and removed is None
    return Head(width, 1 if single == "class-1" else 0, None, gives_probabilities)
